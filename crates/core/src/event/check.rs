//! Whether an input can be true at all, before an engine takes it from a journal.

use super::{AccountEvent, Command, Condition, Event, Filter, Holding};
use crate::account::Fill;
use crate::error::{Code, Error, Result};
use crate::instrument::{AssetIndex, Index, InstrumentIndex};
use crate::market::MarketEvent;
use crate::number::{LARGEST_QUANTITY, LARGEST_VALUE};
use crate::time::{LARGEST_TIME_NS, TimeNs};

impl Event {
    /// Refuses an input that names what the index does not hold, or whose numbers are beyond
    /// what the engine can hold: a journal was altered, or belongs to another index.
    #[inline]
    pub fn check(&self, index: &Index) -> Result<()> {
        let problem = match self {
            Event::Market(event) => row(index, event),
            other => other.problem(index),
        };
        problem.map_or(Ok(()), |problem| Err(self.refused(problem)))
    }

    #[inline(never)]
    fn problem(&self, index: &Index) -> Problem {
        let problem = match self {
            Event::Market(event) | Event::WarmUp(event) => row(index, event),
            Event::Account(report) => {
                let known = index.accounts().len() > report.account.at();
                (!known).then_some("an unknown account").or(time(report.venue_time_ns)).or_else(|| account(index, &report.event))
            }
            Event::Timer(timer) => time(timer.due_ns),
            Event::Command { command: Command::CancelAll(filter) | Command::CloseAll(filter), .. } => command(index, filter),
            Event::Command { command: Command::Open(_, order), .. } => known_instrument(index, order.instrument),
            Event::Command { command: Command::Adopt(_, held), .. } => known_instrument(index, held.instrument).or_else(|| holding(held)),
            Event::Command { .. } | Event::Parameter(_) => None,
            Event::Data(data) => time(data.time_ns),
            Event::Status(status) => condition(index, &status.change),
        };
        problem.or(time(self.arrival_time_ns()))
    }

    #[cold]
    fn refused(&self, problem: &str) -> Error {
        Error::new(Code::BadJournal, format!("an input at {} ns names {problem}: {self:?}", self.arrival_time_ns()))
            .hint("the journal was altered, or the definitions are not those of its run")
    }
}

type Problem = Option<&'static str>;

fn row(index: &Index, row: &MarketEvent) -> Problem {
    known_instrument(index, row.instrument).or(row.problem().map(|(_, problem)| problem))
}

fn account(index: &Index, event: &AccountEvent) -> Problem {
    match *event {
        AccountEvent::Accepted(_)
        | AccountEvent::Lost(_)
        | AccountEvent::Rejected(..)
        | AccountEvent::Cancelled(..)
        | AccountEvent::CancelRejected(..)
        | AccountEvent::Expired(_) => None,
        AccountEvent::Fill(ref fill) => self::fill(index, fill),
        AccountEvent::Funding { instrument, amount: paid } => known_instrument(index, instrument).or(amount(paid)),
        AccountEvent::Fee { instrument, asset, amount: paid, .. } => {
            known_instrument(index, instrument).or(known_asset(index, asset)).or(amount(paid))
        }
        AccountEvent::Deposit { asset, amount: paid }
        | AccountEvent::Foreign { asset, amount: paid }
        | AccountEvent::Unexplained { asset, amount: paid }
        | AccountEvent::Insurance { asset, amount: paid } => known_asset(index, asset).or(amount(paid)),
        AccountEvent::MarginCall { asset, equity, maintenance } => known_asset(index, asset).or(amount(equity)).or(amount(maintenance)),
    }
}

fn fill(index: &Index, fill: &Fill) -> Problem {
    if let Some(problem) = known_instrument(index, fill.instrument).or(known_asset(index, fill.fee_asset)).or(time(fill.venue_time_ns)) {
        return Some(problem);
    }
    let instrument = index.instrument(fill.instrument);
    let in_range = (0..=LARGEST_QUANTITY).contains(&fill.price)
        && (1..=LARGEST_QUANTITY).contains(&fill.quantity)
        && instrument.specification.value(fill.price, fill.quantity) <= LARGEST_VALUE;
    let most_fee = if fill.fee_asset == instrument.base { i128::from(fill.quantity) } else { LARGEST_VALUE };
    (!in_range || fill.fee.unsigned_abs() > most_fee.unsigned_abs()).then_some("a fill that is out of range")
}

fn condition(index: &Index, condition: &Condition) -> Problem {
    match *condition {
        Condition::Connected(venue, _) | Condition::Disconnected(venue, _) => {
            (venue.at() >= index.venues().len()).then_some("an unknown venue")
        }
        Condition::Stale(stream) | Condition::Fresh(stream) => known_instrument(index, stream.instrument),
        Condition::Gap { stream, from_ns, length_ns } => known_instrument(index, stream.instrument).or(time(from_ns)).or(time(length_ns)),
        Condition::Halted(instrument) | Condition::Resumed(instrument) => known_instrument(index, instrument),
    }
}

fn command(index: &Index, filter: &Filter) -> Problem {
    known_instrument(index, filter.instrument?)
}

fn known_instrument(index: &Index, instrument: InstrumentIndex) -> Problem {
    (instrument.at() >= index.instruments().len()).then_some("an unknown instrument")
}

fn known_asset(index: &Index, asset: AssetIndex) -> Problem {
    (asset.at() >= index.assets().len()).then_some("an unknown asset")
}

fn holding(held: &Holding) -> Problem {
    let in_range = held.quantity.unsigned_abs() <= LARGEST_QUANTITY.unsigned_abs();
    amount(held.cost).or((!in_range).then_some("a holding that is out of range"))
}

fn amount(amount: i128) -> Problem {
    (amount.unsigned_abs() > LARGEST_VALUE.unsigned_abs()).then_some("an amount that is out of range")
}

fn time(time_ns: TimeNs) -> Problem {
    (!(-LARGEST_TIME_NS..=LARGEST_TIME_NS).contains(&time_ns)).then_some("a time that is out of range")
}
