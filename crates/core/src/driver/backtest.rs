//! A backtest: recorded rows on the two-sided timeline.

use super::Recorder;
use super::timeline::{Settings, Timeline};
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::event::{Command, Event};
use crate::feed::{Merge, Recording};
use crate::market::MarketKind;
use crate::risk::Risk;
use crate::strategy::Strategy;
use crate::time::{DurationNs, TimeNs};
use crate::venue::SimulatedVenue;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Running,
    /// It has come to its end.
    Done,
}

/// How the venues' side meets rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clocks {
    /// Every row arrived at its venue time: the venue meets it just before the engine does.
    One,
    /// Each side has its own merge.
    Two,
    /// Some venues lag behind the engine, as in a paper session (F6); the others meet rows at their own time.
    Lagging,
}

/// A run over recorded data.
pub struct Backtest {
    timeline: Timeline,
    arrival: Merge,
    venue: Option<Merge>,
    clocks: Clocks,
    warm_up_ns: DurationNs,
    /// Rows before it are warm-up.
    trade_from_ns: TimeNs,
    rows: u64,
    started: bool,
    done: bool,
    /// Whether it goes on right now; still so after a panic.
    is_busy: bool,
    failed: Option<Error>,
}

impl Backtest {
    /// A run before its first event.
    pub fn new(
        settings: Settings,
        strategies: Vec<(String, Box<dyn Strategy>)>,
        risk: Risk,
        mut recordings: Vec<Recording>,
    ) -> Result<Self> {
        let index = std::sync::Arc::clone(&settings.index);
        recordings.sort_by_cached_key(|recording| {
            (recording.streams.first().map(|stream| index.instrument(stream.instrument).name.clone()), recording.name.clone())
        });
        let mut available: Vec<_> = recordings.iter().flat_map(|recording| recording.streams.iter().copied()).collect();
        available.sort_unstable();
        available.dedup();
        let warm_up_ns = settings.warm_up_ns;
        let timeline = Timeline::new(settings, strategies, risk, available)?;
        if let Some(instrument) = timeline.first_real() {
            let definition = index.instrument(instrument);
            let name = &index.venue(definition.venue).name;
            return Err(Error::new(Code::MissingSetting, format!("the venue {name} of {} has no settings", definition.name))
                .hint("state its latency and fill model"));
        }
        let (arrival, venue) = Merge::both(recordings)?;
        let venue = venue.filter(|_| timeline.lags() != Some(true));
        let clocks = match &venue {
            _ if timeline.lags() != Some(false) => Clocks::Lagging,
            Some(_) => Clocks::Two,
            None => Clocks::One,
        };
        Ok(Self {
            timeline,
            arrival,
            venue,
            clocks,
            warm_up_ns,
            trade_from_ns: TimeNs::MIN,
            rows: 0,
            started: false,
            done: false,
            is_busy: false,
            failed: None,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.timeline.engine
    }

    /// The engine, to take its journal.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.timeline.engine
    }

    /// What was observed.
    pub fn recorder(&self) -> &Recorder {
        &self.timeline.recorder
    }

    /// The simulated venues, in the order of their names.
    pub fn venues(&self) -> impl Iterator<Item = &SimulatedVenue> {
        self.timeline.links.iter().map(|link| &link.venue)
    }

    /// How many rows the engine has met.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The time of the run, by arrival.
    pub fn now_ns(&self) -> TimeNs {
        self.timeline.now_ns
    }

    /// Runs to the end.
    pub fn run(&mut self) -> Result<()> {
        while self.advance(u64::MAX)? == Progress::Running {}
        Ok(())
    }

    /// Runs until the engine has met some more rows, or to the end. A run that failed stays failed.
    pub fn advance(&mut self, rows: u64) -> Result<Progress> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if std::mem::replace(&mut self.is_busy, true) {
            return Err(Error::new(Code::RunInterrupted, "the run has failed before: a panic"));
        }
        let progress = self.go_on(rows);
        self.is_busy = false;
        self.failed = progress.as_ref().err().cloned();
        progress
    }

    fn go_on(&mut self, rows: u64) -> Result<Progress> {
        if self.done {
            return Ok(Progress::Done);
        }
        if !self.started {
            self.start()?;
        }
        let until = self.rows.saturating_add(rows);
        match self.clocks {
            Clocks::One => self.walk::<true, false>(until)?,
            Clocks::Two => self.walk::<false, false>(until)?,
            Clocks::Lagging => self.walk::<false, true>(until)?,
        }
        if self.rows < until {
            self.timeline.finish()?;
            self.done = true;
            return Ok(Progress::Done);
        }
        Ok(Progress::Running)
    }

    /// The strategies start at the time of the first row.
    fn start(&mut self) -> Result<()> {
        self.started = true;
        let first = self.venue.as_ref().map_or(TimeNs::MAX, Merge::next_ns).min(self.arrival.next_ns());
        if first == TimeNs::MAX {
            return Err(
                Error::new(Code::EmptyData, "the data hold no rows").hint("check the files and the filters that they were read with")
            );
        }
        let warms_up = self.warm_up_ns > 0;
        self.timeline.start(first, warms_up)?;
        if warms_up {
            self.trade_from_ns = first.saturating_add(self.warm_up_ns);
            self.timeline.schedule(Event::Command { time_ns: self.trade_from_ns - 1, command: Command::WarmedUp });
        }
        Ok(())
    }

    /// Meets rows and everything between them. With one clock the venue meets a row just
    /// before the engine does; with two, each side has its own merge; a venue that lags
    /// meets it later, and the others of its run when they do without it.
    fn walk<const ONE_CLOCK: bool, const LAGGING: bool>(&mut self, until: u64) -> Result<()> {
        while self.rows < until {
            let row_ns = self.arrival.next_ns();
            if !ONE_CLOCK {
                while self.venue_is_next(row_ns) {
                    self.venue_row::<LAGGING>()?;
                }
            }
            if row_ns <= self.timeline.pending_ns && row_ns != TimeNs::MAX {
                self.row::<ONE_CLOCK, LAGGING>(row_ns)?;
            } else if row_ns == TimeNs::MAX {
                return Ok(());
            } else {
                self.timeline.step()?;
            }
        }
        Ok(())
    }

    /// Whether the venues meet a row before the engine meets its next one, and before anything else happens.
    #[inline]
    fn venue_is_next(&self, row_ns: TimeNs) -> bool {
        let venue_ns = self.venue.as_ref().map_or(TimeNs::MAX, Merge::next_ns);
        venue_ns <= row_ns.min(self.timeline.pending_ns) && venue_ns != TimeNs::MAX
    }

    #[inline]
    fn venue_row<const LAGGING: bool>(&mut self) -> Result<()> {
        let Some(merge) = &mut self.venue else { return Ok(()) };
        let Some(event) = merge.event() else { return Ok(()) };
        self.timeline.meet();
        let is_kept = LAGGING && self.timeline.lags_behind(event.instrument);
        if !is_kept && (event.arrival_time_ns >= self.trade_from_ns || event.kind == MarketKind::Book) {
            self.timeline.show_venue(event);
        }
        merge.advance()
    }

    #[inline]
    fn row<const ONE_CLOCK: bool, const LAGGING: bool>(&mut self, row_ns: TimeNs) -> Result<()> {
        self.rows += 1;
        self.timeline.meet();
        let Some(event) = self.arrival.event() else { return Ok(()) };
        let is_warm_up = row_ns < self.trade_from_ns;
        // Warm-up is not for venues (V4), but a book is only whole with what built it.
        if !is_warm_up || event.kind == MarketKind::Book {
            let is_kept = LAGGING && self.timeline.lags_behind(event.instrument);
            if is_kept {
                self.timeline.keep_for_venue(event);
            } else if ONE_CLOCK || (LAGGING && self.venue.is_none()) {
                self.timeline.show_venue(event);
            }
        }
        if is_warm_up {
            self.timeline.warm_up(event)?;
        } else {
            self.timeline.row(event)?;
        }
        self.arrival.advance()
    }
}
