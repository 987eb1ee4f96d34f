//! One-pass performance metrics: an observer, never read by strategy or risk.
//!
//! Figures are floats; the exact amounts are the ledger's. A metric that cannot be
//! known (no trips, a single day, no variance, nothing left to lose) is `None`:
//! never an infinity, never a zero that pretends to be known. All structures are
//! small and of constant size, save the points of an [`EquityCurve`] that keeps them.

mod drawdown;
mod equity_curve;
mod returns;
mod round_trips;
mod summary;

pub use drawdown::{Drawdown, DrawdownTracker};
pub use equity_curve::{EquityCurve, EquityPoint};
pub use returns::{Annualisation, Returns};
pub use round_trips::{RoundTrips, TripStatistics};
pub use summary::{FillFigures, Summary};

/// A figure that is known only if it is a finite number.
fn known(figure: f64) -> Option<f64> {
    figure.is_finite().then_some(figure)
}

/// `numerator / denominator`, unknown where that is no number.
fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    known(numerator / denominator)
}

/// `sum / count`, unknown where nothing was counted.
fn average(sum: f64, count: u64) -> Option<f64> {
    ratio(sum, count as f64)
}
