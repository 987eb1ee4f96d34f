//! Round trips: from flat to flat, or through zero.

use super::{average, ratio};
use crate::time::{DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

/// Follows one strategy's position in one instrument and counts its round trips (N6).
///
/// A trip begins with the fill that opens a position and ends with the one that
/// leaves nothing of it, or less than a lot: the dust that a fee in the base asset
/// makes. A fill that crosses zero ends one trip and begins the next; its fee is split
/// by quantity, its realised profit belongs to the trip that it ends. A trip's profit is
/// after fees and funding.
///
/// ```
/// use tradewind_core::statistics::RoundTrips;
/// let mut trips = RoundTrips::new(1);
/// trips.add_fill(0, 2, 0.0, 1.0); // buys two for a fee of 1
/// trips.add_fill(10, -3, 20.0, 3.0); // sells three: ends the trip and begins a short one
/// assert_eq!(trips.closed().total_profit(), 17.0); // 20 - 1 - 2
/// assert_eq!(trips.open_profit(), Some(-1.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    lot: i64,
    position: i64,
    open: Option<Trip>,
    closed: TripStatistics,
    outside: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Trip {
    start_ns: TimeNs,
    profit: f64,
    /// The sum of the sizes of the amounts that make up the profit.
    moved: f64,
}

impl Trip {
    fn new(start_ns: TimeNs) -> Self {
        Self { start_ns, profit: 0.0, moved: 0.0 }
    }

    /// Takes the amounts apart, so that two that cancel are not taken for a small one.
    fn add(&mut self, realised: f64, fee: f64) {
        self.profit += realised - fee;
        self.moved += realised.abs() + fee.abs();
    }

    /// The profit, zero where it is only what rounding leaves of its amounts.
    fn rounded_profit(&self) -> f64 {
        if self.profit.abs() <= 1e-12 * self.moved { 0.0 } else { self.profit }
    }
}

impl RoundTrips {
    /// No position yet; one smaller than `lot` counts as flat.
    pub fn new(lot: i64) -> Self {
        Self { lot: lot.max(1), position: 0, open: None, closed: TripStatistics::default(), outside: 0.0 }
    }

    /// Takes a fill.
    ///
    /// `quantity` is the change of the position, with its sign and less a fee that was
    /// taken from it. `realised` is the profit that it realised, before fees, `fee` what it
    /// cost (negative for a rebate); both in one currency.
    pub fn add_fill(&mut self, time_ns: TimeNs, quantity: i64, realised: f64, fee: f64) {
        let before = self.position;
        self.position += quantity;
        let is_flat = self.position.abs() < self.lot;
        let Some(mut trip) = self.open.take() else {
            if is_flat {
                self.outside += realised - fee;
            } else {
                let mut trip = Trip::new(time_ns);
                trip.add(realised, fee);
                self.open = Some(trip);
            }
            return;
        };
        let crosses = !is_flat && before.signum() != self.position.signum();
        let next_fee = if crosses { fee * (self.position as f64 / quantity as f64) } else { 0.0 };
        trip.add(realised, fee - next_fee);
        if is_flat || crosses {
            self.closed.add(trip.rounded_profit(), time_ns - trip.start_ns);
        } else {
            self.open = Some(trip);
        }
        if crosses {
            let mut next = Trip::new(time_ns);
            next.add(0.0, next_fee);
            self.open = Some(next);
        }
    }

    /// Takes a funding payment, positive when received; while flat it belongs to no trip.
    pub fn add_funding(&mut self, amount: f64) {
        match &mut self.open {
            Some(trip) => trip.add(amount, 0.0),
            None => self.outside += amount,
        }
    }

    /// What the ended trips say.
    pub fn closed(&self) -> &TripStatistics {
        &self.closed
    }

    /// Whether a trip has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What the open trip has realised so far, after fees and funding.
    pub fn open_profit(&self) -> Option<f64> {
        self.open.map(|trip| trip.profit)
    }

    /// What was realised while flat: late funding, trades of dust.
    pub fn outside_profit(&self) -> f64 {
        self.outside
    }
}

/// What ended round trips say; those of several positions in one currency can be merged.
///
/// All amounts are signed as ours: losses are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TripStatistics {
    wins: u64,
    losses: u64,
    breakeven: u64,
    gross_profit: f64,
    gross_loss: f64,
    largest_win: f64,
    largest_loss: f64,
    duration_ns: i128,
}

impl TripStatistics {
    fn add(&mut self, profit: f64, duration_ns: DurationNs) {
        if profit > 0.0 {
            self.wins += 1;
        } else if profit < 0.0 {
            self.losses += 1;
        } else {
            self.breakeven += 1;
        }
        self.gross_profit += profit.max(0.0);
        self.gross_loss += profit.min(0.0);
        self.largest_win = self.largest_win.max(profit);
        self.largest_loss = self.largest_loss.min(profit);
        self.duration_ns += i128::from(duration_ns);
    }

    /// Adds the trips of another position.
    pub fn merge(&mut self, other: &Self) {
        self.wins += other.wins;
        self.losses += other.losses;
        self.breakeven += other.breakeven;
        self.gross_profit += other.gross_profit;
        self.gross_loss += other.gross_loss;
        self.largest_win = self.largest_win.max(other.largest_win);
        self.largest_loss = self.largest_loss.min(other.largest_loss);
        self.duration_ns += other.duration_ns;
    }

    /// The same trips with amounts in another currency, of which one unit of the present one is worth `rate`.
    #[must_use]
    pub fn converted(&self, rate: f64) -> Self {
        Self {
            gross_profit: self.gross_profit * rate,
            gross_loss: self.gross_loss * rate,
            largest_win: self.largest_win * rate,
            largest_loss: self.largest_loss * rate,
            ..*self
        }
    }

    /// How many trips ended.
    pub fn count(&self) -> u64 {
        self.wins + self.losses + self.breakeven
    }

    /// How many with a profit.
    pub fn wins(&self) -> u64 {
        self.wins
    }

    /// How many with a loss.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// How many with neither.
    pub fn breakeven(&self) -> u64 {
        self.breakeven
    }

    /// Wins as a fraction of all.
    pub fn win_rate(&self) -> Option<f64> {
        average(self.wins as f64, self.count())
    }

    /// The profits together.
    pub fn gross_profit(&self) -> f64 {
        self.gross_profit
    }

    /// The losses together: zero or negative.
    pub fn gross_loss(&self) -> f64 {
        self.gross_loss
    }

    /// Profits and losses together.
    pub fn total_profit(&self) -> f64 {
        self.gross_profit + self.gross_loss
    }

    /// Profits over losses; unknown without a loss.
    pub fn profit_factor(&self) -> Option<f64> {
        ratio(self.gross_profit, -self.gross_loss)
    }

    /// The mean profit of the wins.
    pub fn average_win(&self) -> Option<f64> {
        average(self.gross_profit, self.wins)
    }

    /// The mean of the losses: negative.
    pub fn average_loss(&self) -> Option<f64> {
        average(self.gross_loss, self.losses)
    }

    /// The mean profit of all trips.
    pub fn expectancy(&self) -> Option<f64> {
        average(self.total_profit(), self.count())
    }

    /// The largest profit.
    pub fn largest_win(&self) -> Option<f64> {
        (self.wins > 0).then_some(self.largest_win)
    }

    /// The largest loss: negative.
    pub fn largest_loss(&self) -> Option<f64> {
        (self.losses > 0).then_some(self.largest_loss)
    }

    /// The mean time from a trip's first fill to its last.
    pub fn average_duration_ns(&self) -> Option<DurationNs> {
        self.duration_ns.checked_div(i128::from(self.count())).map(|duration_ns| duration_ns as DurationNs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(value: Option<f64>, wanted: f64) -> bool {
        value.is_some_and(|value| (value - wanted).abs() < 1e-12)
    }

    #[test]
    fn nothing_is_known_of_no_trips() {
        let trips = RoundTrips::new(1);
        let closed = trips.closed();
        let unknown = [closed.win_rate(), closed.profit_factor(), closed.average_win(), closed.average_loss(), closed.expectancy()];
        assert_eq!(unknown, [None; 5]);
        assert_eq!((closed.largest_win(), closed.largest_loss(), closed.average_duration_ns()), (None, None, None));
        assert!(!trips.is_open() && trips.open_profit().is_none());
    }

    #[test]
    fn three_trips_by_hand() {
        let mut trips = RoundTrips::new(1);
        trips.add_fill(0, 10, 0.0, 1.0);
        trips.add_funding(-2.0);
        trips.add_fill(5, -4, 8.0, 0.5);
        trips.add_fill(10, -6, 12.0, 0.5); // 20 - 2 fees - 2 funding = 16
        trips.add_fill(100, -3, 0.0, 1.0);
        trips.add_fill(104, 5, -6.0, 2.5); // -6 - 1 - 1.5 = -8.5; the long trip that begins pays 1
        trips.add_fill(110, -2, 1.0, 0.0); // 1 - 1 = 0
        let closed = trips.closed();
        assert_eq!((closed.count(), closed.wins(), closed.losses(), closed.breakeven()), (3, 1, 1, 1));
        assert!(near(closed.win_rate(), 1.0 / 3.0) && near(closed.profit_factor(), 16.0 / 8.5));
        assert!(near(closed.average_win(), 16.0) && near(closed.average_loss(), -8.5) && near(closed.expectancy(), 2.5));
        assert!(near(closed.largest_win(), 16.0) && near(closed.largest_loss(), -8.5));
        assert_eq!(closed.average_duration_ns(), Some((10 + 4 + 6) / 3));
        assert!(!trips.is_open());
        assert!(near(Some(closed.gross_profit()), 16.0) && near(Some(closed.gross_loss()), -8.5));
    }

    #[test]
    fn another_currency_changes_amounts_and_no_counts() {
        let mut trips = TripStatistics::default();
        trips.add(10.0, 4);
        trips.add(-5.0, 2);
        let converted = trips.converted(3.0);
        assert!(near(Some(converted.total_profit()), 15.0) && near(converted.profit_factor(), 2.0));
        assert!(near(converted.largest_win(), 30.0) && near(converted.largest_loss(), -15.0));
        assert_eq!((converted.wins(), converted.losses(), converted.average_duration_ns()), (1, 1, Some(3)));
    }

    #[test]
    fn what_rounding_leaves_is_breakeven() {
        let mut trips = RoundTrips::new(1);
        trips.add_fill(0, 1, 0.0, 0.1);
        trips.add_fill(1, 1, 0.0, 0.2);
        trips.add_fill(2, -2, 0.3, 0.0);
        assert_eq!((trips.closed().breakeven(), trips.closed().profit_factor()), (1, None));
    }

    #[test]
    fn dust_is_flat() {
        let mut trips = RoundTrips::new(100);
        trips.add_fill(0, 1_999, 0.0, 1.0); // 2,000 less a fee of 1 in the base
        trips.add_fill(5, -1_900, 10.0, 1.0); // 99 are left: less than a lot
        assert_eq!((trips.closed().count(), trips.is_open()), (1, false));
        trips.add_funding(0.5);
        trips.add_fill(6, -99, 0.25, 0.0);
        assert!(near(Some(trips.outside_profit()), 0.75));
        trips.add_fill(9, -500, 0.0, 0.0);
        assert!(trips.is_open());
    }

    proptest! {
        #[test]
        fn no_profit_is_lost(
            lot in 1_i64..4,
            fills in prop::collection::vec((-6_i64..7, -50.0..50.0_f64, -1.0..3.0_f64, -2.0..2.0_f64), 0..80),
        ) {
            let mut trips = RoundTrips::new(lot);
            let (mut total, mut position, mut ended) = (0.0, 0_i64, 0);
            for (time_ns, (quantity, realised, fee, funding)) in fills.iter().enumerate() {
                if *quantity == 0 {
                    continue;
                }
                let before = position;
                position += quantity;
                trips.add_fill(time_ns as TimeNs, *quantity, *realised, *fee);
                trips.add_funding(*funding);
                total += realised - fee + funding;
                let (was_flat, is_flat) = (before.abs() < lot, position.abs() < lot);
                ended += u64::from(!was_flat && (is_flat || before.signum() != position.signum()));
                prop_assert_eq!(trips.is_open(), !is_flat);
                prop_assert_eq!(trips.closed().count(), ended);
                let sum = trips.closed().total_profit() + trips.open_profit().unwrap_or(0.0) + trips.outside_profit();
                prop_assert!((sum - total).abs() < 1e-9);
            }
        }

        #[test]
        fn merging_is_counting_together(profits in prop::collection::vec(-50.0..50.0_f64, 0..40), cut in 0_usize..40) {
            let mut parts = [TripStatistics::default(), TripStatistics::default()];
            let mut whole = TripStatistics::default();
            for (at, profit) in profits.iter().enumerate() {
                parts[usize::from(at >= cut)].add(*profit, at as DurationNs);
                whole.add(*profit, at as DurationNs);
            }
            let [mut merged, second] = parts;
            merged.merge(&second);
            prop_assert!((merged.total_profit() - whole.total_profit()).abs() < 1e-9);
            let counts = |trips: &TripStatistics| (trips.wins(), trips.losses(), trips.breakeven(), trips.average_duration_ns());
            prop_assert_eq!(counts(&merged), counts(&whole));
            prop_assert_eq!((merged.largest_win(), merged.largest_loss()), (whole.largest_win(), whole.largest_loss()));
        }
    }
}
