//! Bars: their intervals, and building them from trades.

use super::Trade;
use crate::error::{Code, Error, Result};
use crate::time::{DAY_NS, DurationNs, HOUR_NS, MINUTE_NS, SECOND_NS, TimeNs, floor_to};
use serde::{Deserialize, Serialize};

/// The length of a bar in two bytes: a unit and a count, such as `5m` or `1d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BarInterval(u16);

const UNITS: [(&str, DurationNs); 4] = [("s", SECOND_NS), ("m", MINUTE_NS), ("h", HOUR_NS), ("d", DAY_NS)];
const COUNT_BITS: u16 = 14;

impl BarInterval {
    /// No interval: the event is not a bar.
    pub const NONE: Self = Self(0);

    #[inline]
    pub(super) const fn bits(self) -> u16 {
        self.0
    }

    #[inline]
    pub(super) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Reads `30s`, `5m`, `1h` or `1d`.
    ///
    /// ```
    /// use tradewind_core::market::BarInterval;
    /// let interval = BarInterval::parse("5m").unwrap();
    /// assert_eq!(interval.duration_ns(), 300_000_000_000);
    /// assert_eq!(interval.to_string(), "5m");
    /// assert!(BarInterval::parse("5 minutes").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Code::BadSetting, format!("bar interval {text:?} cannot be read")).hint("write a count and a unit: 30s, 5m, 1h, 1d")
        };
        let unit = UNITS.iter().position(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let count: u16 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        if count == 0 || count >= 1 << COUNT_BITS {
            return Err(wrong());
        }
        // Equal lengths are one interval: 60s is 1m.
        Self::from_duration(UNITS[unit].1 * i64::from(count))
    }

    /// The interval of a length, in the largest unit that divides it.
    pub fn from_duration(duration_ns: DurationNs) -> Result<Self> {
        let wrong = || {
            Error::new(
                Code::BadSetting,
                format!("bar interval of {duration_ns} ns: a whole number of seconds is needed, at most {} days", (1 << COUNT_BITS) - 1),
            )
        };
        for (unit, (_, unit_ns)) in UNITS.iter().enumerate().rev() {
            let count = duration_ns / unit_ns;
            if duration_ns > 0 && duration_ns % unit_ns == 0 && count < 1 << COUNT_BITS {
                return Ok(Self((unit as u16) << COUNT_BITS | count as u16));
            }
        }
        Err(wrong())
    }

    /// Its length.
    #[inline]
    pub const fn duration_ns(self) -> DurationNs {
        UNITS[(self.0 >> COUNT_BITS) as usize].1 * (self.0 & ((1 << COUNT_BITS) - 1)) as i64
    }
}

impl std::fmt::Display for BarInterval {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}{}", self.0 & ((1 << COUNT_BITS) - 1), UNITS[(self.0 >> COUNT_BITS) as usize].0)
    }
}

/// A bar, labelled by its start (V5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// How long it lasts.
    pub interval: BarInterval,
    /// When it opened, by venue time.
    pub open_time_ns: TimeNs,
    /// The first price.
    pub open: i64,
    /// The highest price.
    pub high: i64,
    /// The lowest price.
    pub low: i64,
    /// The last price.
    pub close: i64,
    /// How much was traded.
    pub volume: i64,
}

impl Bar {
    /// When it closes, by venue time.
    #[inline]
    pub const fn close_time_ns(&self) -> TimeNs {
        self.open_time_ns + self.interval.duration_ns()
    }
}

/// No time: nothing is missing.
const NOTHING: (TimeNs, TimeNs) = (TimeNs::MAX, TimeNs::MIN);

/// Builds time bars from trades; a closed bar never changes (V5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarBuilder {
    interval: BarInterval,
    open: Option<Bar>,
    closed_until_ns: TimeNs,
    late_trades: u64,
    /// From when to when trades are missing.
    missing_ns: (TimeNs, TimeNs),
    /// Whether the open bar, or else the one that closed last, misses no trade that is known to be missing.
    is_complete: bool,
}

impl BarBuilder {
    /// A builder without an open bar.
    pub fn new(interval: BarInterval) -> Self {
        Self { interval, open: None, closed_until_ns: TimeNs::MIN, late_trades: 0, missing_ns: NOTHING, is_complete: true }
    }

    /// The interval of its bars.
    pub fn interval(&self) -> BarInterval {
        self.interval
    }

    /// Trades that came after their bar had closed; they are counted and left out.
    pub fn late_trades(&self) -> u64 {
        self.late_trades
    }

    /// The bar that is being built, if there is one.
    pub fn open(&self) -> Option<&Bar> {
        self.open.as_ref()
    }

    /// Until when bars are closed: a trade before it is late.
    pub fn closed_until_ns(&self) -> TimeNs {
        self.closed_until_ns
    }

    /// From when to when trades are missing, where some ever were.
    pub fn missing_ns(&self) -> Option<(TimeNs, TimeNs)> {
        Some(self.missing_ns).filter(|missing| *missing != NOTHING)
    }

    /// Whether the open bar, or else the one that closed last, lies outside of all gaps (V4).
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Trades between two times are missing: bars over them are not complete (V4).
    pub fn miss(&mut self, from_ns: TimeNs, until_ns: TimeNs) {
        // An earlier gap may still lie before a bar that has not opened.
        let before = if self.missing_ns.1 >= self.closed_until_ns { self.missing_ns } else { NOTHING };
        self.missing_ns = (before.0.min(from_ns), before.1.max(until_ns));
        if let Some(bar) = self.open {
            self.is_complete &= !self.is_missing_in(bar.open_time_ns);
        }
    }

    /// Whether trades are missing in the bar that opens at a time.
    fn is_missing_in(&self, open_time_ns: TimeNs) -> bool {
        self.missing_ns.0 < open_time_ns + self.interval.duration_ns() && self.missing_ns.1 >= open_time_ns
    }

    /// When the open bar ends, if there is one.
    pub fn open_until_ns(&self) -> Option<TimeNs> {
        self.open.map(|bar| bar.close_time_ns())
    }

    /// Takes a trade; returns the bar that it closes, if any, and whether it is complete.
    #[inline]
    pub fn update(&mut self, time_ns: TimeNs, trade: &Trade) -> Option<(Bar, bool)> {
        if time_ns < self.closed_until_ns {
            self.late_trades += 1;
            return None;
        }
        let closed = self.close_until(time_ns);
        if let Some(bar) = &mut self.open {
            bar.high = bar.high.max(trade.price);
            bar.low = bar.low.min(trade.price);
            bar.close = trade.price;
            bar.volume = bar.volume.saturating_add(trade.quantity);
        } else {
            let open_time_ns = floor_to(time_ns, self.interval.duration_ns());
            let price = trade.price;
            self.open = Some(Bar {
                interval: self.interval,
                open_time_ns,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: trade.quantity,
            });
            self.closed_until_ns = open_time_ns;
            self.is_complete = !self.is_missing_in(open_time_ns);
        }
        closed
    }

    /// Closes the open bar if it ends at or before `time_ns`.
    pub fn close_until(&mut self, time_ns: TimeNs) -> Option<(Bar, bool)> {
        let bar = self.open.filter(|bar| bar.close_time_ns() <= time_ns)?;
        self.open = None;
        self.closed_until_ns = bar.close_time_ns();
        Some((bar, self.is_complete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(price: i64) -> Trade {
        Trade { price, quantity: 1, aggressor: None, id: 0 }
    }

    #[test]
    fn a_later_trade_closes_and_a_late_one_is_counted() {
        let mut builder = BarBuilder::new(BarInterval::parse("1m").unwrap());
        assert_eq!(builder.update(10, &trade(5)), None);
        assert_eq!(builder.update(20, &trade(9)), None);
        assert_eq!(builder.update(30, &trade(3)), None);
        let (bar, is_complete) = builder.update(MINUTE_NS, &trade(7)).unwrap();
        assert!(is_complete);
        assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume, bar.open_time_ns), (5, 9, 3, 3, 3, 0));
        assert_eq!(builder.update(MINUTE_NS - 1, &trade(1)), None);
        assert_eq!(builder.late_trades(), 1);
    }

    #[test]
    fn a_timer_closes_too() {
        let mut builder = BarBuilder::new(BarInterval::parse("1m").unwrap());
        builder.update(10, &trade(5));
        assert_eq!(builder.close_until(MINUTE_NS - 1), None);
        assert_eq!(builder.close_until(MINUTE_NS).unwrap().0.close, 5);
        assert_eq!(builder.close_until(MINUTE_NS), None);
    }

    #[test]
    fn bars_over_a_gap_are_not_complete() {
        let closed_after = |from_ns, until_ns| {
            let mut builder = BarBuilder::new(BarInterval::parse("1m").unwrap());
            builder.update(10, &trade(5));
            builder.miss(from_ns, until_ns);
            let closed: Vec<_> =
                (1..4).filter_map(|minute| builder.update(minute * MINUTE_NS + 1, &trade(6))).map(|(_, is_complete)| is_complete).collect();
            closed
        };
        assert_eq!(closed_after(20, 30), [false, true, true]);
        assert_eq!(closed_after(20, MINUTE_NS + 1), [false, false, true]);
        assert_eq!(closed_after(MINUTE_NS, 2 * MINUTE_NS), [true, false, false]);
        assert_eq!(closed_after(-5, -1), [true, true, true]);
    }

    #[test]
    fn intervals_come_back() {
        for text in ["1s", "90s", "5m", "1h", "1d", "16383d"] {
            let interval = BarInterval::parse(text).unwrap();
            assert_eq!(interval.to_string(), text);
        }
        assert_eq!(BarInterval::from_duration(90 * SECOND_NS).unwrap().to_string(), "90s");
        assert_eq!(BarInterval::from_duration(DAY_NS).unwrap().to_string(), "1d");
        assert!(BarInterval::from_duration(1).is_err());
        assert!(BarInterval::parse("é").is_err());
    }
}
