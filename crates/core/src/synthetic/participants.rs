//! Who trades in the synthetic market, and why.
//!
//! - *Makers* quote a ladder around the fundamental value, leaning against their
//!   inventory, wider when volatility is high. After news they move one after another:
//!   first the side that the news makes too cheap, then the other.
//! - *Informed* traders know the value: after news they take what is stale.
//! - *Parents* work large orders as many small market orders of one side, which makes
//!   the signs of trades persist; their sizes are heavy-tailed.
//! - *Trend followers* and *contrarians* trade with and against recent moves.
//! - *Patient* traders place, shrink and cancel single orders deeper in the book.
//!
//! Trades excite everybody for a while, so activity comes in bursts.
//!
//! Makers and patient traders own a fixed set of order keys. Which of them are in use
//! the book knows, so nothing about open orders is kept here.

use super::settings::{LOWEST_TICKS, SyntheticSettings, highest_ticks};
use super::value::Value;
use crate::chance::Chance;
use crate::error::{Code, Error, Result};
use crate::instrument::Specification;
use crate::market::Side;
use crate::number::{Rounding, divide};
use crate::order::{OrderType, TimeInForce};
use crate::time::{DurationNs, SECOND_NS};
use crate::venue::matching::{Match, MatchEvent, MatchingBook, OrderKey, Participant, Submission};

/// The makers' distance from the value in ticks, in calm times.
const HALF_SPREADS: [f64; 6] = [0.5, 0.5, 1.0, 1.5, 2.0, 3.0];
const MAKERS: usize = HALF_SPREADS.len();

/// A ladder's orders: distance from its first (in typical moves), and size (in typical sizes).
const RUNGS: [(f64, f64); 5] = [(0.0, 1.0), (0.3, 2.0), (0.8, 3.0), (1.8, 5.0), (4.0, 8.0)];

/// A maker leans by half a typical move when it holds so many typical sizes.
const INVENTORY_SCALE: f64 = 60.0;

/// The orders that patient traders may have in the book; about half of them are there.
const PATIENT_ORDERS: usize = 256;

/// How many large orders are worked at a time.
const PARENTS: usize = 4;

/// How often something is done when there are no fresh news.
const NEWS_SHARE: f64 = 0.02;
const TAKER_SHARE: f64 = 0.14;
const MAKER_SHARE: f64 = 0.22;

/// After news: an informed trader, makers on one side, an informed trader, makers on the other.
const REACTION_STEPS: usize = 2 * MAKERS + 2;

/// How much faster than usual the reaction to news is.
const REACTION_SPEED: f64 = 20.0;

/// What is left of the activity for the time between reactions to news, as they mostly are.
const PACE: f64 = 0.8;

/// How many actions' time the excitement by a trade lasts, and how much a trade adds
/// to activity, so that excited and calm activity together average to one.
const EXCITEMENT_ACTIONS: f64 = 40.0;
const CALM: f64 = 0.4;
const EXCITEMENT: f64 = (1.0 - CALM) / (TAKER_SHARE * EXCITEMENT_ACTIONS);

/// Keys from here on belong to the synthetic participants.
const FIRST_KEY: u64 = 1 << 62;
const FIRST_PATIENT_KEY: u64 = FIRST_KEY + (MAKERS * RUNGS.len() * 2) as u64;
const FIRST_TAKER_KEY: u64 = FIRST_PATIENT_KEY + PATIENT_ORDERS as u64;

/// Makers are the participants from here on, then come the others as one.
const FIRST_PARTICIPANT: u32 = 1 << 30;
const OTHERS: Participant = Participant(FIRST_PARTICIPANT + MAKERS as u32);

/// A large order that is worked in small parts.
#[derive(Clone, Copy, Debug)]
struct Parent {
    side: Side,
    parts: u32,
}

/// Everybody who trades in a synthetic market. They act on a book that others may use too.
///
/// The keys of their orders are 2^62 and above, their numbers as participants 2^30 and
/// above; those of others must be smaller.
#[derive(Clone, Debug)]
pub struct Participants {
    chance: Chance,
    value: Value,
    activity: f64,
    tick: i64,
    lot: i64,
    /// The smallest and the typical size of an order, in lots.
    sizes: (f64, f64),
    inventories: [i64; MAKERS],
    parents: [Parent; PARENTS],
    /// Recent and less recent mid prices, in ticks.
    averages: [f64; 2],
    excitement: f64,
    seconds_since_news: f64,
    /// The next step of the reaction to news, and the way the value went.
    reaction: Option<(usize, Side)>,
    /// The value that the makers quote around.
    known_value: f64,
    takes: u64,
}

impl Participants {
    /// Participants of one instrument.
    pub fn new(specification: &Specification, settings: &SyntheticSettings) -> Result<Self> {
        settings.validate(specification)?;
        let (name, tick, lot) = (specification.name(), specification.tick, specification.lot);
        let ticks = settings.initial_price / tick;
        let bounds = (LOWEST_TICKS / 2, highest_ticks(tick));
        let smallest = smallest_lots(specification, settings.initial_price)?;
        Ok(Self {
            chance: Chance::new(settings.seed, &["participants", &name]),
            value: Value::new(Chance::new(settings.seed, &["value", &name]), ticks, bounds, settings.volatility),
            activity: PACE * settings.activity,
            tick,
            lot,
            sizes: (smallest, 10.0 * smallest),
            inventories: [0; MAKERS],
            parents: [Parent { side: Side::Buy, parts: 0 }; PARENTS],
            averages: [ticks as f64; 2],
            excitement: 1.0 / EXCITEMENT,
            seconds_since_news: 0.0,
            reaction: None,
            known_value: ticks as f64,
            takes: 0,
        })
    }

    /// Fills the book before anybody trades.
    pub fn open(&mut self, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        for maker in 0..MAKERS {
            for side in [Side::Buy, Side::Sell] {
                self.quote(maker, side, book, events);
            }
        }
        for _ in 0..PATIENT_ORDERS {
            self.be_patient(book, events);
        }
    }

    /// How long it takes until somebody acts; the time passes for the participants.
    pub fn wait(&mut self) -> DurationNs {
        let mean = if self.reaction.is_some() {
            1.0 / (self.activity * REACTION_SPEED)
        } else {
            1.0 / (self.activity * (CALM + EXCITEMENT * self.excitement))
        };
        let wait_ns = ((self.chance.exponential() * mean * SECOND_NS as f64) as DurationNs).max(1);
        let seconds = wait_ns as f64 / SECOND_NS as f64;
        self.seconds_since_news += seconds;
        self.excitement /= 1.0 + seconds * self.activity / EXCITEMENT_ACTIONS;
        wait_ns
    }

    /// Somebody does something, possibly nothing that changes the book.
    pub fn act(&mut self, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        if let Some((step, way)) = self.reaction {
            self.react(step, way, book, events);
            return;
        }
        let mid = self.mid(book);
        for (average, weight) in self.averages.iter_mut().zip([0.02, 0.002]) {
            *average += weight * (mid - *average);
        }
        let choice = self.chance.uniform();
        if choice < NEWS_SHARE {
            self.hear_news();
        } else if choice < NEWS_SHARE + TAKER_SHARE {
            self.take(mid, book, events);
        } else if choice < NEWS_SHARE + TAKER_SHARE + MAKER_SHARE {
            let maker = self.chance.below(MAKERS);
            self.quote(maker, Side::Buy, book, events);
            self.quote(maker, Side::Sell, book, events);
        } else {
            self.be_patient(book, events);
        }
    }

    /// Learns of a trade in the book; to be told of all of them.
    pub fn observe(&mut self, trade: &Match) {
        for (participant, side) in [(trade.maker_participant, trade.aggressor.opposite()), (trade.taker_participant, trade.aggressor)] {
            let maker = participant.0.wrapping_sub(FIRST_PARTICIPANT) as usize;
            if let Some(inventory) = self.inventories.get_mut(maker) {
                *inventory += side.sign() * trade.quantity;
            }
        }
    }

    /// The fundamental value, in ticks.
    pub(super) fn value_ticks(&self) -> f64 {
        self.value.ticks()
    }

    /// The middle between the best prices, in ticks; the value where a side is empty.
    pub(super) fn mid(&self, book: &MatchingBook) -> f64 {
        book.quote().map_or(self.value.ticks(), |quote| f64::midpoint(quote.bid as f64, quote.ask as f64) / self.tick as f64)
    }

    /// By how many ticks the value changes between news; the scale of the book's depth,
    /// so it is not less than two ticks, nor so much that prices could fall below zero.
    fn typical_move(&self) -> f64 {
        let change = self.value.typical_move(1.0 / (NEWS_SHARE * self.activity));
        change.min(0.02 * self.value.ticks()).max(2.0)
    }

    fn hear_news(&mut self) {
        self.value.change(self.seconds_since_news);
        self.seconds_since_news = 0.0;
        let change = self.value.ticks() - self.known_value;
        if change.abs() >= 0.5 {
            self.known_value = self.value.ticks();
            self.reaction = Some((0, if change > 0.0 { Side::Buy } else { Side::Sell }));
        }
    }

    fn react(&mut self, step: usize, way: Side, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        self.reaction = (step + 1 < REACTION_STEPS).then_some((step + 1, way));
        match step {
            0 => {
                if self.chance.happens(0.5) {
                    let size = self.size(5.0);
                    self.take_stale(way, size, book, events);
                }
            }
            1..=MAKERS => self.quote(step - 1, way.opposite(), book, events),
            step if step == MAKERS + 1 => self.take_stale(way, i64::MAX, book, events),
            step => self.quote(step - MAKERS - 2, way, book, events),
        }
    }

    /// A maker brings one side of its ladder to where it should be.
    fn quote(&mut self, maker: usize, side: Side, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        let (step, sign) = (self.typical_move(), side.sign() as f64);
        let inventory = self.inventories[maker] as f64 / (self.sizes.1 * INVENTORY_SCALE * self.lot as f64);
        let fair = self.known_value - 0.5 * step * inventory / (1.0 + inventory.abs());
        let half_spread = HALF_SPREADS[maker] * (0.5 + 0.5 * self.value.agitation());
        for (rung, (distance, size)) in RUNGS.into_iter().enumerate() {
            let key = OrderKey(FIRST_KEY + ((maker * RUNGS.len() + rung) * 2) as u64 + side as u64);
            let price = self.passive_price(side, fair - sign * (half_spread + distance * step), book);
            let tolerance = (0.2 * distance * step) as i64 * self.tick;
            let order = book.order(key);
            let stays = |price_now: i64, left: i64| (price_now - price).abs() <= tolerance && left as f64 >= 0.5 * size * self.typical();
            if order.is_some_and(|order| stays(order.price, order.remaining)) {
                continue;
            }
            let variation = 0.75 + 0.5 * self.chance.uniform();
            let quantity = self.lots(size * variation);
            if order.is_some() {
                book.amend(key, price, quantity, events);
            } else {
                let participant = Participant(FIRST_PARTICIPANT + maker as u32);
                book.submit(&passive(key, participant, side, price, quantity), events);
            }
        }
    }

    /// A patient trader places an order where none is, or shrinks or cancels the one that is there.
    fn be_patient(&mut self, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        let key = OrderKey(FIRST_PATIENT_KEY + self.chance.below(PATIENT_ORDERS) as u64);
        match book.order(key) {
            Some(order) if self.chance.happens(0.15) => {
                let half = order.remaining / 2 / self.lot * self.lot;
                if half > 0 {
                    book.amend(key, order.price, half, events);
                }
            }
            Some(order) => {
                // The last order of a side stays.
                if book.total(order.side) > order.remaining {
                    book.cancel(key, events);
                }
            }
            None => {
                let side = if self.chance.happens(0.5) { Side::Buy } else { Side::Sell };
                let best = book.best(side).map_or(self.value.ticks(), |best| (best.price / self.tick) as f64);
                let distance = 3.0 * self.typical_move() * (self.chance.heavy(1.5) - 1.0) - 1.0;
                let price = self.passive_price(side, best - side.sign() as f64 * distance.min(0.2 * best), book);
                let quantity = self.size(0.5);
                book.submit(&passive(key, OTHERS, side, price, quantity), events);
            }
        }
    }

    /// The price on the grid that does not take, nearest to a wish in ticks.
    fn passive_price(&self, side: Side, wish: f64, book: &MatchingBook) -> i64 {
        let best = book.best(side.opposite()).map(|best| best.price);
        match side {
            Side::Buy => {
                let price = (libm::floor(wish) as i64).saturating_mul(self.tick);
                best.map_or(price, |best| price.min(best - self.tick)).max(self.tick)
            }
            // A bid must fit below.
            Side::Sell => {
                let price = (libm::ceil(wish) as i64).saturating_mul(self.tick);
                best.map_or(price, |best| price.max(best.saturating_add(self.tick))).max(2 * self.tick)
            }
        }
    }

    /// One of those who want to trade now does.
    fn take(&mut self, mid: f64, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        self.excitement += 1.0;
        let threshold = 0.25 * self.typical_move();
        let trend = self.averages[0] - self.averages[1];
        let excess = mid - self.averages[1];
        let choice = self.chance.uniform();
        let side = if choice < 0.15 && trend.abs() > threshold {
            side_of(trend)
        } else if choice > 0.85 && excess.abs() > threshold {
            side_of(-excess)
        } else {
            self.next_part(mid)
        };
        let quantity = self.size(0.3);
        self.send(side, quantity, OrderType::Market, book, events);
    }

    /// The side of the next part of a large order.
    fn next_part(&mut self, mid: f64) -> Side {
        let parent = self.chance.below(PARENTS);
        if self.parents[parent].parts == 0 {
            // What is cheap is bought a little more often.
            let lean = ((self.value.ticks() - mid) / self.typical_move()).clamp(-1.0, 1.0);
            let side = if self.chance.happens(0.5 + 0.3 * lean) { Side::Buy } else { Side::Sell };
            self.parents[parent] = Parent { side, parts: (2.0 * self.chance.heavy(1.5)).min(500.0) as u32 };
        }
        self.parents[parent].parts -= 1;
        self.parents[parent].side
    }

    /// Somebody who knows the value takes what is cheaper than it, or dearer.
    fn take_stale(&mut self, side: Side, quantity: i64, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        let limit = self.worthwhile_limit(side);
        if book.best(side.opposite()).is_some_and(|best| side.accepts(limit, best.price)) {
            self.excitement += 1.0;
            self.send(side, quantity, OrderType::Limit(limit), book, events);
        }
    }

    /// The last price at which taking is worth it: a tick within the value.
    fn worthwhile_limit(&self, side: Side) -> i64 {
        let ticks = match side {
            Side::Buy => libm::floor(self.value.ticks() - 1.0),
            Side::Sell => libm::ceil(self.value.ticks() + 1.0),
        };
        ticks as i64 * self.tick
    }

    /// Sends an order that takes at most a quarter of what rests on the other side: no
    /// side is ever emptied.
    fn send(&mut self, side: Side, quantity: i64, order_type: OrderType, book: &mut MatchingBook, events: &mut Vec<MatchEvent>) {
        let available = book.total(side.opposite()) / 4;
        let quantity = quantity.min(available / self.lot * self.lot);
        if quantity > 0 {
            let key = OrderKey(FIRST_TAKER_KEY + self.takes);
            self.takes += 1;
            let time_in_force = TimeInForce::ImmediateOrCancel;
            book.submit(&Submission { key, participant: OTHERS, side, quantity, order_type, time_in_force }, events);
        }
    }

    /// A heavy-tailed quantity; the smallest is `scale` typical sizes.
    fn size(&mut self, scale: f64) -> i64 {
        let draw = self.chance.heavy(1.6).min(200.0);
        self.lots(scale * draw)
    }

    /// So many typical sizes as a quantity.
    fn lots(&self, sizes: f64) -> i64 {
        libm::round((sizes * self.sizes.1).max(self.sizes.0)) as i64 * self.lot
    }

    /// The typical size as a quantity.
    fn typical(&self) -> f64 {
        self.sizes.1 * self.lot as f64
    }
}

/// An order that only rests.
const fn passive(key: OrderKey, participant: Participant, side: Side, price: i64, quantity: i64) -> Submission {
    Submission { key, participant, side, quantity, order_type: OrderType::Limit(price), time_in_force: TimeInForce::PostOnly }
}

const fn side_of(sign: f64) -> Side {
    if sign > 0.0 { Side::Buy } else { Side::Sell }
}

/// The lots of the smallest order that the instrument allows at this price.
fn smallest_lots(specification: &Specification, price: i64) -> Result<f64> {
    let (lot, value) = (specification.lot, specification.value(price, specification.lot));
    let by_quantity = divide(i128::from(specification.minimum_quantity), i128::from(lot), Rounding::Up);
    let by_notional = divide(specification.minimum_notional, value, Rounding::Up);
    let lots = by_quantity.max(by_notional).max(1);
    // The largest order is some thousands of the smallest, and many of them must fit 64 bits.
    if lots * i128::from(lot) > 1 << 40 {
        let message = format!("synthetic market of {}: its smallest order, of {lots} lots, is too large", specification.name());
        return Err(Error::new(Code::BadSetting, message).hint("give it fewer quantity decimals, or smaller minima"));
    }
    Ok(lots as f64)
}
