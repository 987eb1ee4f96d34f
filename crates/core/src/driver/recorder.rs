//! What is kept of a run: its figures always, its orders and fills when asked for.

use crate::engine::{Booked, Charge, Closed, Output};
use crate::error::{Code, Result};
use crate::event::Holding;
use crate::instrument::{AccountIndex, AssetIndex, Index, InstrumentIndex};
use crate::number::{to_float, wide_to_float};
use crate::order::{Order, Report, Request, Status, StrategyIndex};
use crate::state::{State, Valuation};
use crate::statistics::{Annualisation, EquityCurve, FillFigures, RoundTrips, Summary, TripStatistics};
use crate::time::{DurationNs, TimeNs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much of a run is kept in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// Orders, fills, the equity curve and every posting.
    #[default]
    Everything,
    /// Figures and hashes.
    Metrics,
}

/// The figures of one instrument, in its settlement asset.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentReport {
    /// Which instrument.
    pub instrument: InstrumentIndex,
    /// Orders, fills and their costs.
    pub summary: Summary,
    /// Round trips of all strategies.
    pub trips: TripStatistics,
    /// Whether a round trip is open.
    pub is_open: bool,
    /// The profit of open positions at the mark; none without a mark.
    pub unrealised: Option<f64>,
    /// What is held at the end, by all strategies together.
    pub quantity: f64,
    /// What targets could not reach (O3), of all strategies together.
    pub dust: f64,
}

/// What happened to one asset of one account, by where it went.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetReport {
    /// Whose.
    pub account: AccountIndex,
    /// Of what.
    pub asset: AssetIndex,
    /// What the wallet holds at the end.
    pub wallet: i128,
    /// What was put in from outside.
    pub deposited: i128,
    /// What came in by trading.
    pub traded: i128,
    /// Trading fees paid.
    pub exchange_fees: i128,
    /// Network fees paid.
    pub network_fees: i128,
    /// Liquidation fees paid.
    pub liquidation_fees: i128,
    /// Funding received, below zero when paid.
    pub funding: i128,
    /// What the venue's insurance paid when the account could not.
    pub insurance: i128,
    /// By how much the venue's balance differed without a cause that is known (M5).
    pub unexplained: i128,
}

/// Observes a run. Nothing that decides reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorder {
    keep: Keep,
    valuation: Valuation,
    curve: EquityCurve,
    summaries: Vec<Summary>,
    trips: Vec<Vec<RoundTrips>>,
    orders: Vec<Order>,
    fills: Vec<Booked>,
    orders_sent: u64,
    fills_booked: u64,
    rejections: BTreeMap<Code, u64>,
}

impl Recorder {
    /// A recorder before the first event.
    pub fn new(
        index: &Index,
        strategies: usize,
        currency: AssetIndex,
        interval_ns: DurationNs,
        annualisation: Annualisation,
        keep: Keep,
    ) -> Result<Self> {
        let trips = || index.instruments().map(|(_, definition)| RoundTrips::new(definition.specification.lot)).collect();
        Ok(Self {
            keep,
            valuation: Valuation::new(index, currency),
            curve: EquityCurve::new(interval_ns, annualisation, keep == Keep::Everything)?,
            summaries: index.instruments().map(|_| Summary::new()).collect(),
            trips: std::iter::repeat_with(trips).take(strategies).collect(),
            orders: Vec::new(),
            fills: Vec::new(),
            orders_sent: 0,
            fills_booked: 0,
            rejections: BTreeMap::new(),
        })
    }

    /// Behind when the equity curve wants its next point.
    #[inline]
    pub fn next_sample_ns(&self) -> TimeNs {
        self.curve.next_boundary_ns()
    }

    /// Trading may begin: the equity curve starts, unless other strategies had begun it (D5).
    pub fn begin(&mut self, state: &State, time_ns: TimeNs) {
        if self.curve.next_boundary_ns() == TimeNs::MAX {
            self.curve.begin(time_ns, self.valuation.equity(state));
        }
    }

    /// Money came from outside or left, after which equity is what the state says.
    pub fn flow(&mut self, before: Option<f64>, state: &State) {
        self.curve.flow(before, self.valuation.equity(state));
    }

    /// A strategy takes over what the account holds: a round trip is open.
    pub fn adopt(&mut self, strategy: StrategyIndex, held: &Holding, time_ns: TimeNs) {
        self.trips[strategy.at()][held.instrument.at()].add_fill(time_ns, held.quantity, 0.0, 0.0);
    }

    /// Takes a point of the equity curve, from the state before the event at this time.
    #[cold]
    pub fn sample(&mut self, state: &State, time_ns: TimeNs) {
        self.curve.sample(time_ns, self.valuation.equity(state));
    }

    /// Takes the last point.
    pub fn finish(&mut self, state: &State, time_ns: TimeNs) {
        self.curve.finish(time_ns, self.valuation.equity(state));
    }

    /// Takes what the engine left behind, but its requests.
    #[inline]
    pub fn observe(&mut self, state: &State, output: &mut Output) {
        if !(output.fills.is_empty() && output.charges.is_empty() && output.closed.is_empty()) {
            self.take(state, output);
        }
    }

    /// Kept out of the way of events that leave nothing to observe.
    #[inline(never)]
    fn take(&mut self, state: &State, output: &mut Output) {
        for booked in output.fills.drain(..) {
            self.fill(state, &booked);
        }
        for charge in output.charges.drain(..) {
            self.charge(state, &charge);
        }
        for closed in output.closed.drain(..) {
            self.closed(closed);
        }
        self.orders.append(&mut output.orders);
        for amended in output.amended.drain(..) {
            if let Some(order) = self.orders.iter_mut().rfind(|order| order.id == amended.id) {
                *order = amended;
            }
        }
    }

    /// Counts a request that leaves.
    #[inline]
    pub fn request(&mut self, request: &Request) {
        if let Request::Place { order, .. } = request {
            self.orders_sent += 1;
            self.summaries[order.instrument.at()].add_report(Report::Sent);
        }
    }

    fn closed(&mut self, order: Closed) {
        let report = match order.status {
            Status::Filled => Report::LastFill,
            Status::Cancelled => Report::Cancelled,
            Status::Expired => Report::Expired,
            _ if order.report == Report::Refused => Report::Refused,
            _ => Report::Rejected,
        };
        self.summaries[order.instrument.at()].add_report(report);
        if let (Report::Refused | Report::Rejected, Some(reason)) = (report, order.reason) {
            *self.rejections.entry(reason).or_default() += 1;
        }
    }

    fn fill(&mut self, state: &State, booked: &Booked) {
        let fill = &booked.fill;
        let definition = state.index().instrument(fill.instrument);
        let specification = &definition.specification;
        let price = to_float(fill.price, specification.price_decimals);
        let realised = wide_to_float(booked.realised, specification.value_decimals());
        let summary = &mut self.summaries[fill.instrument.at()];
        summary.add_fill(&FillFigures {
            side: fill.side,
            quantity: to_float(fill.quantity, specification.quantity_decimals),
            price,
            value: wide_to_float(specification.value(fill.price, fill.quantity), specification.value_decimals()),
            decision_mid: booked.decision_mid_doubled.map(|doubled| to_float(doubled, specification.price_decimals) / 2.0),
            liquidity: fill.liquidity,
            realised,
        });
        // A fee in a third asset counts by its price then; without one, what it was is not known (N4).
        let rate = if [definition.base, definition.settlement].contains(&fill.fee_asset) {
            1.0
        } else {
            self.valuation.between(state, fill.fee_asset, definition.settlement).unwrap_or(f64::NAN)
        };
        let amount = wide_to_float(fill.fee, state.index().asset(fill.fee_asset).decimals) * rate;
        let in_base = !definition.is_margined() && fill.fee_asset == definition.base;
        let fee = if in_base { amount * price } else { amount };
        summary.exchange_fees += fee;
        if in_base {
            summary.base_fees += fee;
        }
        let base_fee = if in_base { fill.fee as i64 } else { 0 };
        self.trips[booked.strategy.at()][fill.instrument.at()].add_fill(
            booked.arrival_time_ns,
            fill.signed_quantity() - base_fee,
            realised,
            // A fee in the base is in the realised profit already (M2).
            if in_base { 0.0 } else { fee },
        );
        self.fills_booked += 1;
        if self.keep == Keep::Everything {
            self.fills.push(*booked);
        }
    }

    fn charge(&mut self, state: &State, charge: &Charge) {
        let paid = wide_to_float(charge.paid, state.index().asset(charge.asset).decimals);
        let summary = &mut self.summaries[charge.instrument.at()];
        if charge.is_funding {
            summary.funding -= paid;
        } else {
            summary.liquidation_fees += paid;
        }
        // A payment for the account's position is that of its parts: where one strategy is long
        // and another short, one pays what the other receives on top of the account's.
        let held = |place: usize| state.strategies()[place].positions[charge.instrument.at()].quantity;
        let whole: i64 = (0..self.trips.len()).map(held).sum();
        for (place, trips) in self.trips.iter_mut().enumerate() {
            if held(place) != 0 && whole != 0 {
                trips[charge.instrument.at()].add_funding(-paid * held(place) as f64 / whole as f64);
            }
        }
    }

    /// How many orders left for a venue.
    pub fn orders_sent(&self) -> u64 {
        self.orders_sent
    }

    /// How many fills were booked.
    pub fn fills_booked(&self) -> u64 {
        self.fills_booked
    }

    /// How many orders were refused by us or rejected by the venue, by reason.
    pub fn rejections(&self) -> &BTreeMap<Code, u64> {
        &self.rejections
    }

    /// Closed orders, in the order of their closing; empty unless everything is kept.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Fills in their order; empty unless everything is kept.
    pub fn fills(&self) -> &[Booked] {
        &self.fills
    }

    /// The equity curve.
    pub fn curve(&self) -> &EquityCurve {
        &self.curve
    }

    /// The currency of the totals and the ways to it.
    pub fn valuation(&self) -> &Valuation {
        &self.valuation
    }

    /// The figures of every instrument.
    pub fn instruments(&self, state: &State) -> Vec<InstrumentReport> {
        state.index().instruments().map(|(instrument, _)| self.instrument(state, instrument)).collect()
    }

    fn instrument(&self, state: &State, instrument: InstrumentIndex) -> InstrumentReport {
        let specification = &state.index().instrument(instrument).specification;
        let mut trips = TripStatistics::default();
        for strategy in &self.trips {
            trips.merge(strategy[instrument.at()].closed());
        }
        let positions = || state.strategies().iter().map(|strategy| &strategy.positions[instrument.at()]);
        let quantity: i64 = positions().map(|position| position.quantity).sum();
        let dust = (0..state.strategies().len()).map(|place| state.dust(StrategyIndex(place as u16), instrument)).sum();
        let mark = &state.market(instrument).mark;
        let unrealised: Option<i128> = positions().map(|position| position.unrealised(specification, mark)).sum();
        InstrumentReport {
            instrument,
            summary: self.summaries[instrument.at()].clone(),
            trips,
            is_open: self.trips.iter().any(|strategy| strategy[instrument.at()].is_open()),
            unrealised: unrealised.map(|value| wide_to_float(value, specification.value_decimals())),
            quantity: to_float(quantity, specification.quantity_decimals),
            dust: to_float(dust, specification.quantity_decimals),
        }
    }

    /// The figures of all instruments together, in the currency; none while a rate is unknown.
    pub fn total(&self, state: &State) -> Option<(Summary, f64)> {
        let reports = self.instruments(state);
        let mut parts = Vec::with_capacity(reports.len());
        let mut unrealised = 0.0;
        for report in reports {
            // What was adopted is open without a fill or an order.
            if report.summary == Summary::new() && !report.is_open {
                continue;
            }
            let rate = self.valuation.rate(state, state.index().instrument(report.instrument).settlement)?;
            unrealised += report.unrealised? * rate;
            parts.push(report.summary.converted(rate));
        }
        Some((Summary::total(&parts), unrealised))
    }

    /// Round trips of all instruments, in the currency, and whether their amounts are known:
    /// they are not while a rate is unknown, counts and durations always are.
    pub fn total_trips(&self, state: &State) -> (TripStatistics, bool) {
        let mut total = TripStatistics::default();
        let mut is_known = true;
        for report in self.instruments(state).iter().filter(|report| report.trips.count() > 0) {
            let rate = self.valuation.rate(state, state.index().instrument(report.instrument).settlement);
            is_known &= rate.is_some();
            total.merge(&report.trips.converted(rate.unwrap_or(0.0)));
        }
        (total, is_known)
    }

    /// Every asset of every account that ever held something.
    pub fn assets(state: &State) -> Vec<AssetReport> {
        use crate::account::Bucket;
        let mut reports = Vec::new();
        for (account, _) in state.index().accounts() {
            let ledger = state.account(account).ledger();
            for (asset, _) in state.index().assets() {
                let sum = |bucket| ledger.sum(asset, bucket);
                if Bucket::ALL.into_iter().any(|bucket| sum(bucket) != 0) {
                    reports.push(AssetReport {
                        account,
                        asset,
                        wallet: sum(Bucket::Wallet),
                        deposited: -sum(Bucket::External),
                        traded: -sum(Bucket::Trading),
                        exchange_fees: sum(Bucket::ExchangeFees),
                        network_fees: sum(Bucket::NetworkFees),
                        liquidation_fees: sum(Bucket::LiquidationFees),
                        funding: -sum(Bucket::Funding),
                        insurance: -sum(Bucket::Insurance),
                        unexplained: -sum(Bucket::Unexplained),
                    });
                }
            }
        }
        reports
    }
}
