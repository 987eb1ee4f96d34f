//! The way of the price through a recorded bar (F4).

use crate::market::{Bar, Side};
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// A bar as a path: open, one extreme, the other, close, at equal distances in time.
///
/// The extreme that comes first is the one that hurts the position, or the order while
/// there is no position; it is chosen when it first matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarPath {
    bar: Bar,
    hurt: Option<Side>,
    /// The next point, from one to three.
    next: u8,
    /// What may still be traded of the bar's volume.
    pub budget: i64,
}

impl BarPath {
    /// The path at the bar's open. A bar without volume does not limit how much is filled.
    pub fn new(bar: Bar) -> Self {
        Self { bar, hurt: None, next: 1, budget: if bar.volume > 0 { bar.volume } else { i64::MAX } }
    }

    /// Chooses the first extreme, once: the one that hurts whoever trades this side next.
    pub fn choose(&mut self, hurt: Side) {
        self.hurt.get_or_insert(hurt);
    }

    /// When the next point is reached; the close is a nanosecond before the next bar.
    pub fn next_ns(&self) -> TimeNs {
        if self.next == 3 { self.bar.close_time_ns() - 1 } else { self.time_of(self.next) }
    }

    /// Goes to the next point: the prices before and at it, and whether the bar is over.
    pub fn advance(&mut self) -> (i64, i64, bool) {
        // Nobody has chosen: what was passed must stay passed.
        self.choose(Side::Buy);
        let prices = self.prices();
        let at = usize::from(self.next);
        self.next += 1;
        (prices[at - 1], prices[at], self.next > 3)
    }

    /// The price at a time between the last point and the next, rounded against `taker`.
    pub fn price_at(&self, time_ns: TimeNs, taker: Side, tick: i64) -> i64 {
        let prices = self.prices();
        let (before, after) = (prices[usize::from(self.next) - 1], prices[usize::from(self.next)]);
        let (start, end) = (self.time_of(self.next - 1), self.next_ns());
        let elapsed = i128::from((time_ns.clamp(start, end)) - start);
        let moved = i128::from(after - before) * elapsed;
        let span = i128::from((end - start).max(1));
        // Rounds to the tick that is worse for the taker, but never outside of the segment.
        let exact = i128::from(before) * span + moved;
        let unit = span * i128::from(tick);
        let rounded = match taker {
            Side::Buy => -((-exact).div_euclid(unit)),
            Side::Sell => exact.div_euclid(unit),
        } * i128::from(tick);
        (rounded as i64).clamp(before.min(after), before.max(after))
    }

    /// The last tick that was reached at a time between the last point and the next.
    pub fn reached_at(&self, time_ns: TimeNs, tick: i64) -> i64 {
        let prices = self.prices();
        let (before, after) = (prices[usize::from(self.next) - 1], prices[usize::from(self.next)]);
        self.price_at(time_ns, if after >= before { Side::Sell } else { Side::Buy }, tick)
    }

    fn time_of(&self, point: u8) -> TimeNs {
        self.bar.open_time_ns + self.bar.interval.duration_ns() / 3 * i64::from(point)
    }

    fn prices(&self) -> [i64; 4] {
        let Bar { open, high, low, close, .. } = self.bar;
        match self.hurt {
            // Whoever sells next (a long position, an order to sell) is hurt by a low first.
            Some(Side::Sell) => [open, low, high, close],
            Some(Side::Buy) | None => [open, high, low, close],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::BarInterval;
    use crate::time::MINUTE_NS;

    fn path(hurt: Side) -> BarPath {
        let interval = BarInterval::parse("3m").unwrap();
        let mut path = BarPath::new(Bar { interval, open_time_ns: 0, open: 100, high: 130, low: 70, close: 110, volume: 10 });
        path.choose(hurt);
        path
    }

    #[test]
    fn visits_what_hurts_first() {
        let mut long = path(Side::Sell);
        assert_eq!(long.next_ns(), MINUTE_NS);
        assert_eq!(long.advance(), (100, 70, false));
        assert_eq!(long.advance(), (70, 130, false));
        assert_eq!(long.next_ns(), 3 * MINUTE_NS - 1);
        assert_eq!(long.advance(), (130, 110, true));
        assert_eq!(path(Side::Buy).advance(), (100, 130, false));
    }

    #[test]
    fn a_taker_gets_the_price_of_the_moment_rounded_against_it() {
        let path = path(Side::Buy);
        assert_eq!(path.price_at(0, Side::Buy, 1), 100);
        assert_eq!(path.price_at(MINUTE_NS / 2, Side::Buy, 1), 115);
        assert_eq!(path.price_at(MINUTE_NS / 2, Side::Buy, 10), 120);
        assert_eq!(path.price_at(MINUTE_NS / 2, Side::Sell, 10), 110);
        assert_eq!(path.price_at(1, Side::Buy, 1), 101);
        assert_eq!(path.price_at(1, Side::Sell, 1), 100);
    }
}
