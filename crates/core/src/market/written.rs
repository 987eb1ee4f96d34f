//! A market event as it is written: in journals, between processes.
//!
//! A row's numbers are few and small beside its 64 bytes in memory. Most entries of a journal are rows, so that they
//! are read here by hand, which takes a fifth of the time of what serde makes of the same layout. What is not quite
//! as expected is left to serde, which says what is wrong with it.

use super::{Bar, BookDelta, MarketData, MarketEvent, Quote, Side, Trade};
use crate::instrument::InstrumentIndex;
use crate::number::Varints;
use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// What is written of an event; kinds are known by their place.
#[derive(Serialize, Deserialize)]
enum Written {
    Funding(i64),
    Mark(i64),
    Book(BookDelta),
    Quote(Quote),
    Trade(Trade),
    Bar(Bar),
    IncompleteBar(Bar),
}

#[derive(Serialize, Deserialize)]
struct Encoded(InstrumentIndex, TimeNs, TimeNs, Written);

impl Serialize for MarketEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let written = match self.data() {
            MarketData::Funding(rate) => Written::Funding(rate),
            MarketData::Mark(price) => Written::Mark(price),
            MarketData::Book(delta) => Written::Book(delta),
            MarketData::Quote(quote) => Written::Quote(quote),
            MarketData::Trade(trade) => Written::Trade(trade),
            MarketData::Bar(bar) if self.is_complete() => Written::Bar(bar),
            MarketData::Bar(bar) => Written::IncompleteBar(bar),
        };
        Encoded(self.instrument, self.venue_time_ns, self.arrival_time_ns - self.venue_time_ns, written).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MarketEvent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let Encoded(instrument, venue_time_ns, delay_ns, written) = Encoded::deserialize(deserializer)?;
        let arrival_time_ns = venue_time_ns.checked_add(delay_ns).ok_or_else(|| serde::de::Error::custom("arrival time out of range"))?;
        let event = |data| Self::new(instrument, venue_time_ns, arrival_time_ns, data);
        Ok(match written {
            Written::Funding(rate) => event(MarketData::Funding(rate)),
            Written::Mark(price) => event(MarketData::Mark(price)),
            Written::Book(delta) => event(MarketData::Book(delta)),
            Written::Quote(quote) => event(MarketData::Quote(quote)),
            Written::Trade(trade) => event(MarketData::Trade(trade)),
            Written::Bar(bar) => event(MarketData::Bar(bar)),
            Written::IncompleteBar(bar) => event(MarketData::Bar(bar)).incomplete(),
        })
    }
}

impl MarketEvent {
    /// Reads an event as it is written by serde in postcard's format; nothing where serde has to say what it is.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: an event that is handed back through memory is waited for")]
    pub(crate) fn read(numbers: &mut Varints<'_>) -> Option<Self> {
        let instrument = InstrumentIndex(numbers.small()?);
        let venue_time_ns = numbers.signed()?;
        let arrival_time_ns = venue_time_ns.checked_add(numbers.signed()?)?;
        let data = match numbers.small()? {
            0 => MarketData::Funding(numbers.signed()?),
            1 => MarketData::Mark(numbers.signed()?),
            2 => MarketData::Book(BookDelta {
                side: side(numbers)?,
                price: numbers.signed()?,
                quantity: numbers.signed()?,
                first: flag(numbers)?,
                last: flag(numbers)?,
            }),
            3 => MarketData::Quote(Quote {
                bid: numbers.signed()?,
                bid_quantity: numbers.signed()?,
                ask: numbers.signed()?,
                ask_quantity: numbers.signed()?,
            }),
            4 => MarketData::Trade(Trade {
                price: numbers.signed()?,
                quantity: numbers.signed()?,
                aggressor: if flag(numbers)? { Some(side(numbers)?) } else { None },
                id: numbers.signed()?,
            }),
            // Bars are few.
            _ => return None,
        };
        Some(Self::new(instrument, venue_time_ns, arrival_time_ns, data))
    }
}

#[inline]
fn side(numbers: &mut Varints<'_>) -> Option<Side> {
    Some(if flag(numbers)? { Side::Sell } else { Side::Buy })
}

#[inline]
fn flag(numbers: &mut Varints<'_>) -> Option<bool> {
    match numbers.small()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::BarInterval;
    use proptest::prelude::*;

    fn any_data() -> impl Strategy<Value = MarketData> {
        let side = prop_oneof![Just(None), Just(Some(Side::Buy)), Just(Some(Side::Sell))];
        prop_oneof![
            any::<i64>().prop_map(MarketData::Funding),
            any::<i64>().prop_map(MarketData::Mark),
            (any::<i64>(), any::<i64>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(price, quantity, buy, first, last)| {
                MarketData::Book(BookDelta { side: if buy { Side::Buy } else { Side::Sell }, price, quantity, first, last })
            }),
            any::<[i64; 4]>().prop_map(|[bid, bid_quantity, ask, ask_quantity]| MarketData::Quote(Quote {
                bid,
                bid_quantity,
                ask,
                ask_quantity
            })),
            (any::<i64>(), any::<i64>(), side, any::<i64>()).prop_map(|(price, quantity, aggressor, id)| MarketData::Trade(Trade {
                price,
                quantity,
                aggressor,
                id
            })),
        ]
    }

    proptest! {
        #[test]
        fn payload_and_codec_come_back(data in any_data(), venue in 0_i64..i64::MAX / 4, delay in 0_i64..i64::MAX / 4) {
            let event = MarketEvent::new(InstrumentIndex(3), venue, venue + delay, data);
            prop_assert_eq!(event.data(), data);
            let bytes = postcard::to_stdvec(&event).unwrap();
            prop_assert_eq!(postcard::from_bytes::<MarketEvent>(&bytes).unwrap(), event);
        }
    }

    #[test]
    fn a_bar_with_a_gap_stays_one() {
        let interval = BarInterval::parse("1m").unwrap();
        let bar = Bar { interval, open_time_ns: 0, open: 2, high: 3, low: 1, close: 2, volume: 9 };
        let event = MarketEvent::new(InstrumentIndex(3), 0, interval.duration_ns(), MarketData::Bar(bar));
        for event in [event, event.incomplete()] {
            let bytes = postcard::to_stdvec(&event).unwrap();
            assert_eq!(postcard::from_bytes::<MarketEvent>(&bytes).unwrap(), event);
        }
        assert!(event.is_complete() && !event.incomplete().is_complete());
    }
}
