//! The settings of a run, from Python.

use crate::error::{OrRaise, raised};
use crate::instrument::Index;
use crate::lender::Failure;
use crate::recording::{ChunkFeed, Recording};
use crate::risk::RiskValues;
use crate::strategy::{NativeStrategy, PythonStrategy};
use pyo3::prelude::*;
use std::sync::Arc;
use tradewind_core::driver::{Keep, Outage, Settings};
use tradewind_core::error::{Code, Error};
use tradewind_core::event::{Command, DataEvent, DataValue, Event, Filter};
use tradewind_core::feed;
use tradewind_core::number::{NumberProblem, parse_wide};
use tradewind_core::order::StrategyIndex;
use tradewind_core::risk::Risk;
use tradewind_core::statistics::Annualisation;
use tradewind_core::strategy::Strategy;
use tradewind_core::venue::{FillModel, Halt, Latency, MEASURED_SHARES, Resting, TakingOnTrades, VenueSettings};

/// A latency as Python gives it: its kind, and two durations or the quantiles that were measured.
#[derive(FromPyObject)]
enum LatencyValues {
    Stated(String, i64, i64),
    Measured(String, Vec<i64>),
}

/// How a venue is simulated, as Python gives it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct VenueValues {
    venue: String,
    request_latency: LatencyValues,
    answer_latency: LatencyValues,
    taking_on_trades: String,
    resting: String,
    leverage: Option<i64>,
    lag_ns: Option<i64>,
}

impl VenueValues {
    fn read(&self, halts: Vec<Halt>) -> PyResult<VenueSettings> {
        let taking_on_trades = choice("taking_on_trades", &self.taking_on_trades, &TakingOnTrades::ALL)?;
        let resting = choice("resting", &self.resting, &Resting::ALL)?;
        if let Some(leverage) = self.leverage.filter(|&leverage| leverage < 1) {
            return Err(raised(&Error::new(Code::BadSetting, format!("{}: leverage {leverage} is below 1", self.venue))));
        }
        Ok(VenueSettings {
            venue: self.venue.clone(),
            request_latency: latency(&self.request_latency)?,
            answer_latency: latency(&self.answer_latency)?,
            fill_model: FillModel { taking_on_trades, resting },
            leverage: self.leverage,
            lag_ns: self.lag_ns,
            halts,
        })
    }
}

fn latency(values: &LatencyValues) -> PyResult<Latency> {
    let unknown = |kind: &str| {
        let error = Error::new(Code::BadSetting, format!("latency {kind:?} is not known"));
        raised(&error.hint("there are constant, uniform, exponential and measured"))
    };
    let latency = match values {
        LatencyValues::Stated(kind, first, second) => match kind.as_str() {
            "constant" => Latency::Constant(*first),
            "uniform" => Latency::Uniform { low_ns: *first, high_ns: *second },
            "exponential" => Latency::Exponential { minimum_ns: *first, mean_ns: *second },
            other => return Err(unknown(other)),
        },
        LatencyValues::Measured(kind, quantiles_ns) if kind == "measured" => {
            let quantiles_ns = quantiles_ns.as_slice().try_into().map_err(|_| {
                let message = format!("a measured latency has {} quantiles, and not {}", MEASURED_SHARES.len(), quantiles_ns.len());
                raised(&Error::new(Code::BadSetting, message))
            })?;
            Latency::Measured(quantiles_ns)
        }
        LatencyValues::Measured(kind, _) => return Err(unknown(kind)),
    };
    latency.validate().or_raise()?;
    Ok(latency)
}

fn choice<T: Copy>(setting: &str, word: &str, choices: &[(&'static str, T)]) -> PyResult<T> {
    choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        raised(&Error::new(Code::BadSetting, format!("{setting} = {word:?} is not known")).hint(format!("there are {}", names.join(", "))))
    })
}

/// A run as Python describes it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Run<'py> {
    pub index: Bound<'py, Index>,
    strategies: Vec<(String, Bound<'py, PyAny>)>,
    risk: RiskValues<'py>,
    recordings: Vec<Bound<'py, PyAny>>,
    venues: Vec<VenueValues>,
    balances: Vec<(String, String, String)>,
    currency: String,
    interval_ns: i64,
    trading_days: bool,
    seed: u64,
    keep: String,
    journal: bool,
    commands: Vec<CommandValues>,
    values: Vec<Value>,
    value_streams: Option<Vec<String>>,
    outages: Vec<(String, i64, i64)>,
    halts: Vec<(String, i64, i64)>,
    warm_up_ns: i64,
}

/// A run as the kernel takes it.
pub struct Built {
    pub settings: Settings,
    pub strategies: Vec<(String, Box<dyn Strategy>)>,
    pub risk: Risk,
    pub recordings: Vec<feed::Recording>,
    /// Whether any part of it is Python, so that the run needs the interpreter.
    pub needs_python: bool,
}

impl Run<'_> {
    pub fn build(&self, failure: &Failure) -> PyResult<Built> {
        let (strategies, native) = strategies(&self.strategies, self.index.get(), failure)?;
        let mut recordings = Vec::new();
        let mut fed = false;
        for recording in &self.recordings {
            if let Ok(recording) = recording.cast::<Recording>() {
                recordings.push(recording.get().recording.clone());
            } else {
                fed = true;
                recordings.push(recording.cast::<ChunkFeed>()?.get().open(recording.py(), Arc::clone(failure))?);
            }
        }
        let needs_python = fed || !native || self.risk.has_checks();
        Ok(Built { settings: self.settings()?, strategies, risk: self.risk.read(self.index.get(), failure)?, recordings, needs_python })
    }

    fn settings(&self) -> PyResult<Settings> {
        let index = &self.index.get().index;
        let mut balances = Vec::new();
        for (venue, asset, amount) in &self.balances {
            let place = index.find_venue(venue).or_raise()?;
            let asset_place = index.find_asset(asset).or_raise()?;
            let decimals = index.asset(asset_place).decimals;
            let amount = parse_wide(amount, decimals).map_err(|problem| bad_balance(asset, amount, decimals, problem))?;
            balances.push((place, asset_place, amount));
        }
        let mut inputs: Vec<Event> = self.values.iter().map(Value::event).collect::<PyResult<_>>()?;
        for values in &self.commands {
            let (time_ns, command) = self.command(values)?;
            inputs.push(Event::Command { time_ns, command });
        }
        let mut outages = Vec::new();
        for (venue, from_ns, until_ns) in &self.outages {
            outages.push(Outage { venue: index.find_venue(venue).or_raise()?, from_ns: *from_ns, until_ns: *until_ns });
        }
        let keep = choice("keep", &self.keep, &[("everything", Keep::Everything), ("metrics", Keep::Metrics)])?;
        Ok(Settings {
            index: Arc::clone(index),
            venues: self.venues.iter().map(|venue| venue.read(self.halts_of(&venue.venue)?)).collect::<PyResult<_>>()?,
            balances,
            currency: index.find_asset(&self.currency).or_raise()?,
            interval_ns: self.interval_ns,
            annualisation: if self.trading_days { Annualisation::TradingDays } else { Annualisation::EveryDay },
            seed: self.seed,
            keep,
            keeps_journal: self.journal,
            inputs,
            available_data: self.value_streams.clone(),
            outages,
            warm_up_ns: self.warm_up_ns,
        })
    }
}

/// A command as Python gives it: its time, its word, and for which strategy and instrument.
type CommandValues = (i64, String, Option<String>, Option<String>);

/// A value from outside as Python gives it: its stream, both times, what it is, and itself as a number or text.
#[derive(FromPyObject)]
pub struct Value(String, i64, i64, String, Option<f64>, Option<String>);

impl Value {
    /// The input.
    pub fn event(&self) -> PyResult<Event> {
        let Value(name, time_ns, arrival_time_ns, kind, number, text) = self;
        let value = data_value(kind, *number, text.as_deref())?;
        let event = DataEvent { name: name.clone(), time_ns: *time_ns, arrival_time_ns: *arrival_time_ns, value };
        Ok(Event::Data(Box::new(event)))
    }
}

/// A value by its kind.
pub fn data_value(kind: &str, number: Option<f64>, text: Option<&str>) -> PyResult<DataValue> {
    match (kind, number, text) {
        ("number", Some(number), _) => Ok(DataValue::Number(number)),
        ("text", _, Some(text)) => Ok(DataValue::Text(text.to_owned())),
        ("json", _, Some(text)) => Ok(DataValue::Json(text.to_owned())),
        _ => Err(raised(&Error::new(Code::WrongType, format!("a value of the kind {kind:?} is missing")))),
    }
}

impl Run<'_> {
    /// When a venue takes no orders.
    fn halts_of(&self, venue: &str) -> PyResult<Vec<Halt>> {
        let index = &self.index.get().index;
        let mut halts = Vec::new();
        for (name, from_ns, until_ns) in &self.halts {
            let instrument = index.find_instrument(name).or_raise()?;
            if index.venue(index.instrument(instrument).venue).name == venue {
                halts.push(Halt { instrument, from_ns: *from_ns, until_ns: *until_ns });
            }
        }
        Ok(halts)
    }

    fn command(&self, (time_ns, word, strategy, instrument): &CommandValues) -> PyResult<(i64, Command)> {
        let mut names: Vec<&str> = self.strategies.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let strategy = strategy.as_ref().map(|wanted| {
            let place = names.iter().position(|name| name == wanted);
            place.map(|place| StrategyIndex(place as u16)).ok_or_else(|| {
                raised(
                    &Error::new(Code::BadSetting, format!("commands: there is no strategy {wanted:?}"))
                        .hint(format!("there are {}", names.join(", "))),
                )
            })
        });
        let filter = Filter {
            strategy: strategy.transpose()?,
            instrument: instrument.as_ref().map(|name| self.index.get().index.find_instrument(name)).transpose().or_raise()?,
        };
        let commands = [
            ("trading_on", Command::TradingOn),
            ("trading_off", Command::TradingOff),
            ("cancel_all", Command::CancelAll(filter)),
            ("close_all", Command::CloseAll(filter)),
            ("stop", Command::Stop),
        ];
        Ok((*time_ns, choice("command", word, &commands)?))
    }
}

fn bad_balance(asset: &str, amount: &str, decimals: u8, problem: NumberProblem) -> PyErr {
    let why = match problem {
        NumberProblem::NotANumber => "is not a number".to_owned(),
        NumberProblem::OffGrid => format!("has more than {decimals} decimals"),
        NumberProblem::OutOfRange => "is too large to be held exactly".to_owned(),
    };
    raised(&Error::new(Code::BadSetting, format!("the balance of {asset}, {amount}, {why}")))
}

/// The strategies, and whether all of them are native.
#[allow(clippy::type_complexity, reason = "names with their strategies")]
pub fn strategies(
    objects: &[(String, Bound<'_, PyAny>)],
    index: &Index,
    failure: &Failure,
) -> PyResult<(Vec<(String, Box<dyn Strategy>)>, bool)> {
    let mut native = true;
    let mut strategies: Vec<(String, Box<dyn Strategy>)> = Vec::new();
    for (name, object) in objects {
        let strategy: Box<dyn Strategy> = if let Ok(strategy) = object.cast::<NativeStrategy>() {
            strategy.get().build(object.py(), index)?
        } else {
            native = false;
            Box::new(PythonStrategy::new(object, index, Arc::clone(failure))?)
        };
        strategies.push((name.clone(), strategy));
    }
    Ok((strategies, native))
}
