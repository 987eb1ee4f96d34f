//! What the limits on a whole system look at: when orders left lately, and the profit of the day.

use super::{State, Valuation};
use crate::event::Holding;
use crate::instrument::{AssetIndex, InstrumentIndex};
use crate::number::wide_to_float;
use crate::risk::DailyLoss;
use crate::time::{DAY_NS, DurationNs, SECOND_NS, TimeNs};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// How often the profit of the day is looked at; orders are judged by it at any time.
const LOOK_NS: DurationNs = SECOND_NS;

/// The profit of a day, for the next run on it: a restart must not make it forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// Which UTC day, counted from 1970.
    pub day: i64,
    /// The profit, in the currency.
    pub profit: f64,
    /// The limit on its loss, if that was reached: it stays so for the day, unless a larger limit is given.
    pub reached: Option<f64>,
}

/// What is remembered for the limits on a whole system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// When the profit of the day is looked at next; never where nothing limits it.
    pub(crate) next_ns: TimeNs,
    /// When the last orders left, oldest first; no more than the limit on their rate counts.
    sent_ns: VecDeque<TimeNs>,
    /// Fees and funding since the start in what instruments settle in, by asset: it moves with what was earned in the same.
    /// Fees in a base asset are in the positions already.
    paid: Vec<i128>,
    /// Fees in other assets whose price at their time is not known yet, and the worth of all others.
    spent: Vec<i128>,
    spent_worth: f64,
    pub(crate) day: i64,
    /// The profit at the day's start.
    profit_before: f64,
    /// The limit that the day's loss has reached.
    pub(crate) reached: Option<f64>,
    /// What strategies adopted and had no price yet: what it had gained or lost before is not of the day.
    adopted: Vec<Holding>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            next_ns: TimeNs::MAX,
            sent_ns: VecDeque::new(),
            paid: Vec::new(),
            spent: Vec::new(),
            spent_worth: 0.0,
            day: i64::MIN,
            profit_before: 0.0,
            reached: None,
            adopted: Vec::new(),
        }
    }
}

impl Watch {
    /// Looks at the profit of the day from now on.
    pub(crate) fn begin(&mut self, assets: usize) {
        self.next_ns = TimeNs::MIN;
        self.paid = vec![0; assets];
        self.spent = vec![0; assets];
    }

    /// A strategy takes over what was held before, where somebody looks at the profit of the day.
    pub(crate) fn adopt(&mut self, held: &Holding) {
        if self.next_ns != TimeNs::MAX {
            self.adopted.push(*held);
            self.next_ns = TimeNs::MIN;
        }
    }

    /// Goes on under other limits: on the loss of a day, or none, and on so many orders. Whether the loss has reached a
    /// larger limit than before is found out anew.
    pub(crate) fn go_on(&mut self, assets: usize, limit: Option<f64>, counted: usize) {
        if limit.is_none() {
            self.next_ns = TimeNs::MAX;
        } else if self.next_ns == TimeNs::MAX {
            self.next_ns = TimeNs::MIN;
            self.paid.resize(assets, 0);
            self.spent.resize(assets, 0);
        }
        self.reached = self.reached.filter(|reached| limit.is_some_and(|limit| limit <= *reached));
        self.sent_ns.drain(..self.sent_ns.len().saturating_sub(counted));
    }

    /// An order left.
    pub(crate) fn sent(&mut self, now_ns: TimeNs, counted: usize) {
        if self.sent_ns.len() >= counted {
            self.sent_ns.pop_front();
        }
        self.sent_ns.push_back(now_ns);
    }

    /// Whether as many orders as are counted left after a time.
    pub(crate) fn is_used_up(&self, counted: usize, after_ns: TimeNs) -> bool {
        self.sent_ns.len() >= counted && self.sent_ns.front().is_some_and(|&first_ns| first_ns > after_ns)
    }

    /// A fee or funding was paid for an instrument that settles in some asset, or received when below zero.
    #[inline]
    pub(crate) fn pay(&mut self, settlement: AssetIndex, asset: AssetIndex, amount: i128) {
        let paid = if asset == settlement { &mut self.paid } else { &mut self.spent };
        if let Some(paid) = paid.get_mut(asset.at()) {
            *paid += amount;
        }
    }

    /// What it holds, for the state's hash; nothing while nothing is limited.
    pub(super) fn numbers(&self) -> impl Iterator<Item = i128> {
        let is_on = self.next_ns != TimeNs::MAX;
        let day = [self.next_ns.into(), self.day.into(), i128::from(self.profit_before.to_bits()), self.reached.is_some().into()];
        let sent = (!self.sent_ns.is_empty()).then_some(self.sent_ns.len() as i128).into_iter();
        let sent = sent.chain(self.sent_ns.iter().map(|&sent_ns| i128::from(sent_ns)));
        let paid = self.paid.iter().chain(&self.spent).copied().chain([i128::from(self.spent_worth.to_bits())]);
        sent.chain(day.into_iter().chain(paid).filter(move |_| is_on))
    }
}

impl State {
    /// What the strategies have earned since the start, with open positions at the mark and after fees
    /// and funding; unknown while a price is missing. What the account held before is not theirs (M3).
    pub fn profit(&self, valuation: &Valuation) -> Option<f64> {
        let mut profit = 0.0;
        for strategy in &self.strategies {
            for (at, position) in strategy.positions.iter().enumerate() {
                let definition = self.index.instrument(InstrumentIndex(at as u32));
                let unrealised = position.unrealised(&definition.specification, &self.markets[at].mark)?;
                let earned = position.realised + unrealised;
                if earned != 0 {
                    profit +=
                        wide_to_float(earned, definition.specification.value_decimals()) * valuation.rate(self, definition.settlement)?;
                }
            }
        }
        for (asset, definition) in self.index.assets() {
            let of_asset = |amounts: &[i128]| amounts.get(asset.at()).copied().unwrap_or(0);
            let paid = of_asset(&self.watch.paid) + of_asset(&self.watch.spent);
            if paid != 0 {
                profit -= wide_to_float(paid, definition.decimals) * valuation.rate(self, asset)?;
            }
        }
        Some(profit - self.watch.spent_worth)
    }

    /// The profit of the UTC day so far; unknown while a price is missing.
    pub fn profit_of_day(&self, valuation: &Valuation) -> Option<f64> {
        Some(self.profit(valuation)? - self.watch.profit_before)
    }

    /// What was adopted has a price now: what it has gained or lost before is not of the day.
    pub(crate) fn settle_adopted(&mut self, valuation: &Valuation) {
        let mut adopted = std::mem::take(&mut self.watch.adopted);
        adopted.retain(|held| match self.gained(held, valuation) {
            Some(gained) => {
                self.watch.profit_before += gained;
                false
            }
            None => true,
        });
        if !adopted.is_empty() {
            // Before the next order is judged.
            self.watch.next_ns = TimeNs::MIN;
        }
        self.watch.adopted = adopted;
    }

    /// What was spent in assets that nothing settles in counts at its price of then: what it would be worth later is no loss.
    pub(crate) fn settle_spent(&mut self, valuation: &Valuation) {
        let index = Arc::clone(&self.index);
        for (asset, definition) in index.assets() {
            let Some(spent) = self.watch.spent.get(asset.at()).copied().filter(|spent| *spent != 0) else { continue };
            if let Some(rate) = valuation.rate(self, asset) {
                self.watch.spent_worth += wide_to_float(spent, definition.decimals) * rate;
                self.watch.spent[asset.at()] = 0;
            }
        }
    }

    fn gained(&self, held: &Holding, valuation: &Valuation) -> Option<f64> {
        let definition = self.index.instrument(held.instrument);
        let specification = &definition.specification;
        let value = self.markets[held.instrument.at()].mark.value(specification, held.quantity)?;
        Some(wide_to_float(value - held.cost, specification.value_decimals()) * valuation.rate(self, definition.settlement)?)
    }

    /// Whether the day's loss has reached its limit.
    pub fn is_daily_loss_reached(&self) -> bool {
        self.watch.reached.is_some()
    }

    /// Begins the day of a time, if it is another one; tells whether the limit had been reached on the day before.
    pub(crate) fn begin_day(&mut self, time_ns: TimeNs, limit: &DailyLoss) -> bool {
        let day = time_ns.div_euclid(DAY_NS);
        self.watch.next_ns = (time_ns + LOOK_NS).min((day + 1) * DAY_NS);
        if day <= self.watch.day {
            return false;
        }
        let is_first = self.watch.day == i64::MIN;
        // While a price is missing the day counts from where the last one began.
        let before = self.profit(&limit.valuation).unwrap_or(self.watch.profit_before);
        let carried = limit.carried.filter(|one| is_first && one.day == day);
        self.watch.profit_before = before - carried.map_or(0.0, |one| one.profit);
        self.watch.day = day;
        self.watch.reached.take().is_some()
    }
}
