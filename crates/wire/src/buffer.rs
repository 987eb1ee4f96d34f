//! Rows in the order of their arrival, until the engine takes them.

use tradewind_core::error::{Code, Error, Result};
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::{MarketData, MarketEvent};
use tradewind_core::time::{DurationNs, SECOND_NS, TimeNs};

/// How far a venue's time may be ahead of ours: more is a mistake, and would take the session's clock with it (T2).
const MOST_AHEAD_NS: DurationNs = 5 * SECOND_NS;

/// Rows in the order of their arrival.
#[derive(Debug, Default)]
pub struct Buffer {
    rows: Vec<MarketEvent>,
    clamped: u64,
    latency_ns: i64,
}

impl Buffer {
    /// An empty one; rows without a venue time happened `latency_ns` before they arrived (T2).
    pub fn new(latency_ns: i64) -> Self {
        Self { rows: Vec::new(), clamped: 0, latency_ns }
    }

    /// Adds a row. One that arrives before it happened is moved to when it happened, and counted (T2).
    #[inline]
    pub fn push(&mut self, instrument: InstrumentIndex, venue_ns: Option<TimeNs>, arrival_ns: TimeNs, data: MarketData) -> Result<()> {
        let venue_ns = venue_ns.unwrap_or(arrival_ns.saturating_sub(self.latency_ns));
        let known_ns = match &data {
            MarketData::Bar(bar) => venue_ns.saturating_add(bar.interval.duration_ns()),
            _ => venue_ns,
        };
        if known_ns.saturating_sub(arrival_ns) > MOST_AHEAD_NS {
            let message = format!("the venue's time {known_ns} is {} s ahead of ours", (known_ns - arrival_ns) / SECOND_NS);
            return Err(
                Error::new(Code::ArrivalBeforeVenueTime, message).hint("one of the two clocks is wrong, or the number is not a time")
            );
        }
        let event = MarketEvent::new(instrument, venue_ns, arrival_ns.max(known_ns), data);
        if let Some((code, what)) = event.problem() {
            return Err(Error::new(code, what));
        }
        self.clamped += u64::from(arrival_ns < known_ns);
        self.rows.push(event);
        Ok(())
    }

    /// All rows; the buffer is empty afterwards.
    pub fn take(&mut self) -> Vec<MarketEvent> {
        std::mem::take(&mut self.rows)
    }

    /// Brings rows that are ahead of a time by more than a limit back to it, and what they say of their own time with
    /// them: another clock, which is wrong, must not take the session's with it (T2). Tells whether there were any.
    pub fn bring_back(&mut self, now_ns: TimeNs, limit_ns: DurationNs) -> bool {
        if self.rows.last().is_none_or(|row| row.arrival_time_ns - now_ns <= limit_ns) {
            return false;
        }
        for row in &mut self.rows {
            let ahead_ns = row.arrival_time_ns - now_ns;
            if ahead_ns > 0 {
                row.arrival_time_ns = now_ns;
                row.venue_time_ns -= ahead_ns;
            }
        }
        true
    }

    /// Moves all rows behind those of `rows`, so that both keep their memory.
    pub fn move_into(&mut self, rows: &mut Vec<MarketEvent>) {
        rows.append(&mut self.rows);
    }

    /// The rows that wait.
    pub fn rows(&self) -> &[MarketEvent] {
        &self.rows
    }

    /// Forgets what was added since there were `length` rows: a message counts whole or not at all.
    pub fn undo_to(&mut self, length: usize) {
        self.rows.truncate(length);
    }

    /// How many rows came before they happened, by the clocks.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The latency that is taken for rows without a venue time.
    pub fn latency_ns(&self) -> i64 {
        self.latency_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_clock_that_is_far_ahead_are_brought_back_with_their_own_times() {
        let mut buffer = Buffer::new(0);
        for (venue_ns, arrival_ns) in [(90, 100), (95, 140), (110, 150)] {
            buffer.push(InstrumentIndex(0), Some(venue_ns), arrival_ns, MarketData::Mark(1)).unwrap();
        }
        assert!(!buffer.bring_back(100, 50));
        assert!(buffer.bring_back(100, 49));
        let times: Vec<_> = buffer.rows().iter().map(|row| (row.venue_time_ns, row.arrival_time_ns)).collect();
        assert_eq!(times, [(90, 100), (55, 100), (60, 100)]);
        assert!(!buffer.bring_back(100, 0));
    }
}
