//! What is remembered of an instrument's streams: what was last, so that repeats and gaps are known.

use crate::follower::Follower;
use rustc_hash::FxHashMap;
use tradewind_core::instrument::InstrumentIndex;
use tradewind_core::market::Quote;
use tradewind_core::time::TimeNs;

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Trades.
    Trades,
    /// Best bids and offers.
    Quotes,
    /// The order book.
    Book,
    /// Bars that have closed.
    Bars,
    /// Mark prices.
    Marks,
    /// Funding payments.
    Funding,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [Kind::Trades, Kind::Quotes, Kind::Book, Kind::Bars, Kind::Marks, Kind::Funding];

    /// The word for it in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Trades => "trades",
            Kind::Quotes => "quotes",
            Kind::Book => "book",
            Kind::Bars => "bars",
            Kind::Marks => "marks",
            Kind::Funding => "funding",
        }
    }
}

/// What a frame was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Data: read, or a repeat that was left out.
    Data,
    /// No data: an answer or a notice.
    Control,
    /// Data that do not continue what came before: rows between these venue times are missing. Of a book no rows
    /// follow until a snapshot.
    Gap {
        /// The place of the instrument's feed.
        feed: usize,
        /// Of which stream.
        kind: Kind,
        /// The last row before.
        from_ns: TimeNs,
        /// The first row behind.
        to_ns: TimeNs,
    },
}

/// The streams of one instrument.
#[derive(Debug)]
pub struct Feed {
    /// Its place in the index.
    pub instrument: InstrumentIndex,
    /// Decimals of its prices.
    pub price_decimals: u8,
    /// Decimals of its quantities.
    pub quantity_decimals: u8,
    pub(crate) trade: Last,
    pub(crate) quote: Last,
    pub(crate) last_quote: Option<Quote>,
    pub(crate) bars: Vec<(i64, TimeNs)>,
    pub(crate) book: Follower,
    /// The last mark price and rate, when the next payment falls due, and when the last one did.
    pub(crate) ticker: [Option<i64>; 4],
    pub(crate) arrival_ns: [TimeNs; 6],
}

/// The number and time of the last row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Last {
    pub id: Option<i64>,
    pub time_ns: TimeNs,
}

impl Feed {
    /// Nothing was seen yet.
    pub fn new(instrument: InstrumentIndex, price_decimals: u8, quantity_decimals: u8) -> Self {
        Self {
            instrument,
            price_decimals,
            quantity_decimals,
            trade: Last::default(),
            quote: Last::default(),
            last_quote: None,
            bars: Vec::new(),
            book: Follower::default(),
            ticker: [None; 4],
            arrival_ns: [TimeNs::MIN; 6],
        }
    }

    /// When a message of this kind last arrived; the smallest time if none did.
    pub fn arrival_ns(&self, kind: Kind) -> TimeNs {
        self.arrival_ns[kind as usize]
    }

    /// How far a stream has come, to be compared with what its venue says: the last trade's id, the numbers of the last
    /// quote, the book's last update, the opening of the last bar.
    pub fn progress(&self, kind: Kind, interval_ns: i64) -> Vec<i64> {
        match kind {
            Kind::Trades => self.trade.id.into_iter().collect(),
            Kind::Quotes => self.last_quote.map_or_else(Vec::new, |one| vec![one.bid, one.bid_quantity, one.ask, one.ask_quantity]),
            Kind::Book => self.book.last_update().into_iter().collect(),
            Kind::Bars => self.bars.iter().filter(|(known, _)| *known == interval_ns).map(|(_, open_ns)| *open_ns).collect(),
            Kind::Marks | Kind::Funding => Vec::new(),
        }
    }

    /// Whether the rows of the book are complete.
    pub fn is_book_live(&self) -> bool {
        self.book.is_live()
    }

    /// What was seen of this kind is forgotten: its stream was left and is entered anew.
    pub fn forget(&mut self, kind: Kind) {
        self.arrival_ns[kind as usize] = TimeNs::MIN;
        match kind {
            Kind::Trades => self.trade = Last::default(),
            Kind::Quotes => (self.quote, self.last_quote) = (Last::default(), None),
            Kind::Bars => self.bars.clear(),
            Kind::Book => self.book = Follower::default(),
            Kind::Marks => self.ticker[0] = None,
            Kind::Funding => self.ticker[1..3].fill(None),
        }
    }

    /// Whether a bar is new, and when the one that should have come before it opened if that is missing.
    pub(crate) fn is_new_bar(&mut self, interval_ns: i64, open_ns: TimeNs) -> (bool, Option<TimeNs>) {
        let Some(place) = self.bars.iter().position(|(known, _)| *known == interval_ns) else {
            self.bars.push((interval_ns, open_ns));
            return (true, None);
        };
        let last_ns = self.bars[place].1;
        if open_ns <= last_ns {
            return (false, None);
        }
        self.bars[place].1 = open_ns;
        (true, (open_ns - last_ns > interval_ns).then_some(last_ns))
    }
}

/// All feeds of a decoder, by the venue's names.
#[derive(Debug, Default)]
pub struct Feeds {
    feeds: Vec<Feed>,
    places: FxHashMap<Box<[u8]>, usize>,
}

impl Feeds {
    /// Adds an instrument under the venue's symbol; its place.
    pub fn add(&mut self, symbol: &str, feed: Feed) -> usize {
        let place = self.feeds.len();
        self.places.insert(symbol.as_bytes().into(), place);
        self.feeds.push(feed);
        place
    }

    /// How many there are; their places are below that.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks whether there is none")]
    pub fn len(&self) -> usize {
        self.feeds.len()
    }

    /// The place of a symbol.
    #[inline]
    pub fn find(&self, symbol: &[u8]) -> Option<usize> {
        self.places.get(symbol).copied()
    }

    /// The feed at a place that this returned.
    pub fn at(&self, place: usize) -> &Feed {
        &self.feeds[place]
    }

    /// The feed at a place that this returned.
    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut Feed {
        &mut self.feeds[place]
    }
}
