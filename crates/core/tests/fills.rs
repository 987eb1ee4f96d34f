//! The rules of fills (F1 to F5) and of fees (M2), each by an example computed by hand.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{perpetual, spot, venue};
use std::sync::Arc;
use tradewind_core::error::Code;
use tradewind_core::event::AccountEvent;
use tradewind_core::instrument::{AccountIndex, FeeAsset, Fees, Index, InstrumentIndex, Specification, VenueIndex};
use tradewind_core::market::{Bar, BarInterval, BookDelta, MarketData, MarketEvent, Quote, Side, Trade};
use tradewind_core::order::{Liquidity, NewOrder, OrderId, OrderType, PositionSlot, Request, StrategyIndex, TimeInForce};
use tradewind_core::state::{Stream, StreamKind};
use tradewind_core::time::{MINUTE_NS, SECOND_NS};
use tradewind_core::venue::fill::{FillModel, Resting, TakingOnTrades};
use tradewind_core::venue::{Latency, SimulatedVenue};

use Answer::{Cancelled, Filled, Rejected};
use Liquidity::{Maker, Taker};
use OrderType::{Limit, Market};
use Side::{Buy, Sell};
use TimeInForce::{GoodTillCancelled, ImmediateOrCancel, PostOnly};

/// What a venue answered, without what every test knows.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Filled { order: u64, price: i64, quantity: i64, role: Liquidity, fee: i128 },
    Rejected(u64, Code),
    Cancelled(u64, Code),
    Funding(i128),
    Call,
    LiquidationFee(i128),
    Insurance(i128),
}

const fn filled(order: u64, price: i64, quantity: i64, role: Liquidity) -> Answer {
    Filled { order, price, quantity, role, fee: 0 }
}

struct Desk {
    venue: SimulatedVenue,
    now_ns: i64,
    orders: u64,
}

impl Desk {
    /// A venue with one instrument, the account full of everything.
    fn new(specification: Specification, streams: &[StreamKind], fill_model: FillModel) -> Self {
        Self::with_balance(specification, streams, fill_model, 1_000_000_000)
    }

    fn with_balance(specification: Specification, streams: &[StreamKind], fill_model: FillModel, units: i128) -> Self {
        let name = specification.venue.clone();
        let index = Arc::new(Index::new(&[], &[specification]).unwrap());
        let streams: Vec<_> = streams.iter().map(|&kind| Stream { instrument: InstrumentIndex(0), kind }).collect();
        let settings = venue(&name, Latency::Constant(0), Latency::Constant(0), fill_model);
        let mut venue = SimulatedVenue::new(Arc::clone(&index), VenueIndex(0), settings, &streams);
        for (asset, definition) in index.assets() {
            venue.deposit(asset, units * 10_i128.pow(definition.decimals.into()), 0);
        }
        venue.output.clear();
        Self { venue, now_ns: 0, orders: 0 }
    }

    fn row(&mut self, data: MarketData) -> Vec<Answer> {
        self.now_ns += SECOND_NS;
        self.venue.on_market(&MarketEvent::new(InstrumentIndex(0), self.now_ns, self.now_ns, data));
        self.answers()
    }

    fn trade(&mut self, price: i64, quantity: i64) -> Vec<Answer> {
        self.row(MarketData::Trade(Trade { price, quantity, aggressor: None, id: 0 }))
    }

    fn quote(&mut self, bid: i64, bid_quantity: i64, ask: i64, ask_quantity: i64) -> Vec<Answer> {
        self.row(MarketData::Quote(Quote { bid, bid_quantity, ask, ask_quantity }))
    }

    /// A whole book of one message: bids and asks by price and quantity.
    fn book(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Vec<Answer> {
        let bids = bids.iter().map(|level| (Buy, level));
        let levels: Vec<_> = bids.chain(asks.iter().map(|level| (Sell, level))).collect();
        let count = levels.len();
        let mut answers = Vec::new();
        for (place, (side, &(price, quantity))) in levels.into_iter().enumerate() {
            let delta = BookDelta { side, price, quantity, first: place == 0, last: place + 1 == count };
            self.now_ns -= SECOND_NS * i64::from(place > 0);
            answers.extend(self.row(MarketData::Book(delta)));
        }
        answers
    }

    fn level(&mut self, side: Side, price: i64, quantity: i64) -> Vec<Answer> {
        self.row(MarketData::Book(BookDelta { side, price, quantity, first: false, last: true }))
    }

    /// A bar of three minutes that begins at a minute.
    fn bar(&mut self, minute: i64, prices: [i64; 4], volume: i64) -> Vec<Answer> {
        self.advance_to(minute * MINUTE_NS - 1);
        let [open, high, low, close] = prices;
        self.now_ns = minute * MINUTE_NS;
        let interval = BarInterval::parse("3m").unwrap();
        let bar = Bar { interval, open_time_ns: self.now_ns, open, high, low, close, volume };
        self.venue.on_market(&MarketEvent::new(InstrumentIndex(0), self.now_ns, bar.close_time_ns(), MarketData::Bar(bar)));
        self.answers()
    }

    /// Lets bars go on until a time.
    fn advance_to(&mut self, time_ns: i64) -> Vec<Answer> {
        while self.venue.next_ns() <= time_ns {
            self.venue.advance();
        }
        self.now_ns = self.now_ns.max(time_ns);
        self.answers()
    }

    fn request(&mut self, side: Side, quantity: i64, order_type: OrderType, time_in_force: TimeInForce, reduce_only: bool) -> Vec<Answer> {
        self.orders += 1;
        let order = NewOrder {
            account: AccountIndex(0),
            slot: PositionSlot::Net,
            instrument: InstrumentIndex(0),
            side,
            quantity,
            order_type,
            time_in_force,
            reduce_only,
        };
        let request = Request::Place { id: OrderId(self.orders), strategy: StrategyIndex(0), count: self.orders, order, by_target: false };
        self.venue.on_request(&request, self.now_ns);
        self.answers()
    }

    fn place(&mut self, side: Side, quantity: i64, order_type: OrderType) -> Vec<Answer> {
        self.request(side, quantity, order_type, GoodTillCancelled, false)
    }

    fn cancel(&mut self, order: u64) -> Vec<Answer> {
        let request = Request::Cancel { id: OrderId(order), strategy: StrategyIndex(0), count: order, instrument: InstrumentIndex(0) };
        self.venue.on_request(&request, self.now_ns);
        self.answers()
    }

    fn held(&self) -> i64 {
        self.venue.account().position(InstrumentIndex(0)).quantity
    }

    fn answers(&mut self) -> Vec<Answer> {
        let answer = |event| match event {
            AccountEvent::Fill(fill) => {
                Some(Filled { order: fill.order.0, price: fill.price, quantity: fill.quantity, role: fill.liquidity, fee: fill.fee })
            }
            AccountEvent::Rejected(order, code) | AccountEvent::CancelRejected(order, code) => Some(Rejected(order.0, code)),
            AccountEvent::Cancelled(order, code) => Some(Cancelled(order.0, code)),
            AccountEvent::Funding { amount, .. } => Some(Answer::Funding(amount)),
            AccountEvent::Fee { amount, .. } => Some(Answer::LiquidationFee(amount)),
            AccountEvent::Insurance { amount, .. } => Some(Answer::Insurance(amount)),
            AccountEvent::MarginCall { .. } => Some(Answer::Call),
            AccountEvent::Accepted(_)
            | AccountEvent::Expired(_)
            | AccountEvent::Deposit { .. }
            | AccountEvent::Lost(_)
            | AccountEvent::Foreign { .. }
            | AccountEvent::Unexplained { .. } => None,
        };
        self.venue.output.drain(..).filter_map(|(_, event)| answer(event)).collect()
    }
}

fn on_trades(fill_model: FillModel) -> Desk {
    Desk::new(perpetual("v", "X", "X", "USD"), &[StreamKind::Trades], fill_model)
}

fn on_quotes() -> Desk {
    Desk::new(perpetual("v", "X", "X", "USD"), &[StreamKind::Quotes, StreamKind::Trades], FillModel::default())
}

fn on_depth() -> Desk {
    Desk::new(perpetual("v", "X", "X", "USD"), &[StreamKind::Book, StreamKind::Trades], FillModel::default())
}

fn on_bars() -> Desk {
    let bars = StreamKind::Bars(BarInterval::parse("3m").unwrap());
    Desk::new(perpetual("v", "X", "X", "USD"), &[bars], FillModel::default())
}

#[test]
fn on_trades_a_market_order_takes_the_next_trades_up_to_their_sizes() {
    let mut desk = on_trades(FillModel::default());
    assert_eq!(desk.place(Buy, 5, Market), [Rejected(1, Code::NoLiquidity)], "nothing is known yet");
    assert_eq!(desk.trade(100, 9), []);
    assert_eq!(desk.place(Buy, 5, Market), [], "never the trade before it");
    assert_eq!(desk.trade(101, 2), [filled(2, 101, 2, Taker)]);
    assert_eq!(desk.trade(103, 9), [filled(2, 103, 3, Taker)]);
    assert_eq!(desk.trade(104, 9), []);
}

#[test]
fn on_trades_two_orders_share_one_trade() {
    let mut desk = on_trades(FillModel::default());
    desk.trade(100, 9);
    desk.place(Buy, 5, Market);
    desk.place(Buy, 5, Market);
    assert_eq!(desk.trade(100, 7), [filled(1, 100, 5, Taker), filled(2, 100, 2, Taker)]);
}

#[test]
fn on_trades_named_options_fill_whole() {
    let mut desk = on_trades(FillModel { taking_on_trades: TakingOnTrades::NextTradeWhole, ..FillModel::default() });
    desk.trade(100, 1);
    assert_eq!(desk.place(Sell, 5, Market), []);
    assert_eq!(desk.trade(101, 1), [filled(1, 101, 5, Taker)]);
    let mut desk = on_trades(FillModel { taking_on_trades: TakingOnTrades::LastTradeWhole, ..FillModel::default() });
    desk.trade(100, 1);
    assert_eq!(desk.place(Sell, 5, Market), [filled(1, 100, 5, Taker)]);
}

#[test]
fn on_trades_an_immediate_order_meets_one_trade() {
    let mut desk = on_trades(FillModel::default());
    desk.trade(100, 9);
    assert_eq!(desk.request(Buy, 5, Market, ImmediateOrCancel, false), []);
    assert_eq!(desk.trade(101, 2), [filled(1, 101, 2, Taker), Cancelled(1, Code::ImmediateOrCancel)]);
    assert_eq!(desk.request(Buy, 5, Limit(99), ImmediateOrCancel, false), [Cancelled(2, Code::NoLiquidity)], "it would rest");
}

#[test]
fn on_trades_a_resting_order_fills_only_when_a_trade_goes_through() {
    let mut desk = on_trades(FillModel::default());
    desk.trade(100, 9);
    desk.place(Buy, 5, Limit(98));
    assert_eq!(desk.trade(98, 9), [], "a touch");
    assert_eq!(desk.trade(97, 3), [filled(1, 98, 3, Maker)]);
    assert_eq!(desk.trade(95, 9), [filled(1, 98, 2, Maker)]);
    let mut desk = on_trades(FillModel { resting: Resting::Touch, ..FillModel::default() });
    desk.trade(100, 9);
    desk.place(Sell, 5, Limit(102));
    assert_eq!(desk.trade(102, 3), [filled(1, 102, 3, Maker)]);
}

#[test]
fn on_trades_a_limit_order_that_is_met_takes_at_the_trade_and_never_at_its_own_price() {
    let mut desk = on_trades(FillModel::default());
    desk.trade(100, 9);
    desk.place(Buy, 5, Limit(110));
    assert_eq!(desk.trade(101, 2), [filled(1, 101, 2, Taker)]);
    assert_eq!(desk.trade(111, 2), [], "the price left: it rests");
    assert_eq!(desk.trade(109, 2), [filled(1, 110, 2, Maker)]);
}

#[test]
fn post_only_is_rejected_where_it_would_take() {
    let mut desk = on_quotes();
    desk.quote(100, 5, 101, 7);
    assert_eq!(desk.request(Buy, 1, Limit(101), PostOnly, false), [Rejected(1, Code::WouldTake)]);
    assert_eq!(desk.request(Buy, 1, Limit(100), PostOnly, false), []);
    assert_eq!(desk.request(Sell, 1, Limit(100), PostOnly, false), [Rejected(3, Code::WouldTake)]);
}

#[test]
fn on_quotes_a_taker_gets_what_is_shown_less_what_it_took() {
    let mut desk = on_quotes();
    desk.quote(100, 5, 101, 7);
    assert_eq!(desk.place(Buy, 4, Market), [filled(1, 101, 4, Taker)]);
    assert_eq!(desk.place(Buy, 9, Market), [filled(2, 101, 3, Taker)], "the rest of it waits");
    assert_eq!(desk.trade(101, 50), [], "trades do not fill where quotes are known");
    assert_eq!(desk.quote(99, 5, 101, 7), [], "the ask has not changed");
    assert_eq!(desk.quote(99, 5, 101, 8), [filled(2, 101, 6, Taker)]);
    assert_eq!(desk.request(Buy, 3, Market, ImmediateOrCancel, false), [filled(3, 101, 2, Taker), Cancelled(3, Code::ImmediateOrCancel)]);
    assert_eq!(desk.request(Buy, 3, Market, ImmediateOrCancel, false), [Cancelled(4, Code::NoLiquidity)]);
    assert_eq!(desk.place(Sell, 5, Market), [filled(5, 99, 5, Taker)]);
}

#[test]
fn on_quotes_a_resting_order_fills_when_the_other_side_crosses_or_a_trade_goes_through() {
    let mut desk = on_quotes();
    desk.quote(100, 5, 101, 7);
    assert_eq!(desk.place(Buy, 9, Limit(100)), []);
    assert_eq!(desk.quote(98, 5, 100, 7), [], "locked is a touch");
    assert_eq!(desk.quote(97, 5, 99, 2), [filled(1, 100, 2, Maker)]);
    assert_eq!(desk.quote(97, 5, 99, 2), [], "taken already");
    assert_eq!(desk.trade(99, 3), [filled(1, 100, 3, Maker)]);
    assert_eq!(desk.cancel(1), [Cancelled(1, Code::Requested)]);
    assert_eq!(desk.cancel(1), [Rejected(1, Code::OrderNotOpen)]);
}

#[test]
fn on_quotes_the_rest_of_a_limit_order_that_is_still_met_takes_the_prices_that_come() {
    let mut desk = on_quotes();
    desk.quote(100, 5, 101, 2);
    assert_eq!(desk.place(Buy, 9, Limit(150)), [filled(1, 101, 2, Taker)]);
    assert_eq!(desk.quote(101, 5, 102, 3), [filled(1, 102, 3, Taker)], "not at 150");
    assert_eq!(desk.quote(155, 5, 160, 3), [], "it rests now");
    assert_eq!(desk.quote(130, 5, 140, 3), [filled(1, 150, 3, Maker)]);
}

#[test]
fn on_depth_a_taker_walks_the_levels_it_accepts() {
    let mut desk = on_depth();
    desk.book(&[(100, 5)], &[(101, 3), (102, 4), (105, 9)]);
    assert_eq!(desk.place(Buy, 9, Limit(102)), [filled(1, 101, 3, Taker), filled(1, 102, 4, Taker)]);
    assert_eq!(desk.level(Sell, 101, 0), [], "nothing new at 102");
    assert_eq!(desk.level(Sell, 102, 1), [filled(1, 102, 1, Taker)]);
    assert_eq!(desk.level(Sell, 102, 0), [], "the best is 105: it rests");
    assert_eq!(desk.level(Sell, 101, 5), [filled(1, 102, 1, Maker)]);
    assert_eq!(desk.place(Sell, 9, Market), [filled(2, 100, 5, Taker)]);
    assert_eq!(desk.level(Buy, 99, 2), [filled(2, 99, 2, Taker)]);
}

#[test]
fn on_depth_one_side_is_enough_to_be_filled() {
    let mut desk = on_depth();
    desk.book(&[(100, 5)], &[(101, 3)]);
    desk.place(Buy, 5, Market);
    desk.level(Buy, 100, 0);
    assert_eq!(desk.level(Sell, 104, 9), [filled(1, 104, 2, Taker)]);
}

#[test]
fn a_bar_is_an_open_then_its_path_then_its_close() {
    let mut desk = on_bars();
    desk.bar(0, [100, 130, 70, 110], 0);
    // Nobody holds anything: the order to buy is hurt by the high first. Half a minute in, half of 100 to 130 is passed.
    desk.advance_to(MINUTE_NS / 2);
    assert_eq!(desk.place(Buy, 1, Market), [filled(1, 115, 1, Taker)]);
    assert_eq!(desk.place(Buy, 1, Limit(80)), []);
    assert_eq!(desk.advance_to(MINUTE_NS), []);
    assert_eq!(desk.advance_to(2 * MINUTE_NS), [filled(2, 80, 1, Maker)]);
    assert_eq!(desk.place(Sell, 2, Limit(110)), [], "the close is a touch");
    assert_eq!(desk.advance_to(3 * MINUTE_NS - 1), []);
    assert_eq!(desk.bar(3, [111, 111, 111, 111], 0), [filled(3, 110, 2, Maker)]);
}

#[test]
fn a_bar_visits_first_what_hurts_the_position() {
    let mut desk = on_bars();
    desk.bar(0, [100, 100, 100, 100], 0);
    desk.place(Buy, 2, Market);
    // Long: the low comes first. The sale above fills after the purchase below, not before.
    desk.place(Buy, 1, Limit(90));
    desk.place(Sell, 1, Limit(120));
    desk.bar(3, [100, 130, 70, 110], 0);
    assert_eq!(desk.advance_to(4 * MINUTE_NS), [filled(2, 90, 1, Maker)]);
    assert_eq!(desk.advance_to(5 * MINUTE_NS), [filled(3, 120, 1, Maker)]);
}

#[test]
fn an_order_within_a_bar_meets_only_what_comes_after_it() {
    let mut desk = on_bars();
    desk.bar(0, [100, 130, 70, 110], 0);
    desk.advance_to(MINUTE_NS / 2);
    // The price is 115 on its way from 100 to 130: 105 was passed before.
    assert_eq!(desk.place(Buy, 1, Limit(105)), []);
    assert_eq!(desk.advance_to(MINUTE_NS), []);
    assert_eq!(desk.advance_to(2 * MINUTE_NS), [filled(1, 105, 1, Maker)]);
    // A sale that is met takes at the price of the moment, 90 on the way from 70 to 110.
    desk.advance_to(2 * MINUTE_NS + MINUTE_NS / 2);
    assert_eq!(desk.place(Sell, 1, Limit(80)), [filled(2, 90, 1, Taker)]);
}

#[test]
fn an_order_that_was_passed_within_a_bar_is_filled_before_its_cancel() {
    let mut desk = on_bars();
    desk.bar(0, [100, 130, 70, 110], 0);
    assert_eq!(desk.place(Sell, 1, Limit(120)), []);
    // A sale is hurt by the low first: 100, 70, 130, 110.
    desk.advance_to(MINUTE_NS + MINUTE_NS * 11 / 12);
    assert_eq!(desk.cancel(1), [filled(1, 120, 1, Maker), Rejected(1, Code::OrderNotOpen)]);
}

#[test]
fn an_order_between_bars_takes_the_open_and_not_its_own_price() {
    let mut desk = on_bars();
    desk.bar(0, [100, 100, 100, 100], 0);
    desk.advance_to(3 * MINUTE_NS - 1);
    assert_eq!(desk.place(Buy, 1, Limit(110)), []);
    assert_eq!(desk.place(Buy, 1, Market), []);
    assert_eq!(desk.bar(3, [101, 101, 101, 101], 0), [filled(1, 101, 1, Taker), filled(2, 101, 1, Taker)]);
}

#[test]
fn a_bar_fills_no_more_than_its_volume() {
    let mut desk = on_bars();
    desk.bar(0, [100, 100, 100, 100], 5);
    assert_eq!(desk.place(Buy, 7, Limit(110)), [filled(1, 100, 5, Taker)]);
    assert_eq!(desk.advance_to(3 * MINUTE_NS - 1), []);
    assert_eq!(desk.bar(3, [103, 103, 103, 103], 9), [filled(1, 103, 2, Taker)]);
}

#[test]
fn only_the_finest_bars_make_a_path() {
    let [three, hour] = ["3m", "1h"].map(|text| BarInterval::parse(text).unwrap());
    let streams = [StreamKind::Bars(hour), StreamKind::Bars(three)];
    let mut desk = Desk::new(perpetual("v", "X", "X", "USD"), &streams, FillModel::default());
    desk.bar(0, [100, 130, 70, 110], 0);
    let coarse = Bar { interval: hour, open_time_ns: 0, open: 100, high: 500, low: 10, close: 400, volume: 0 };
    desk.venue.on_market(&MarketEvent::new(InstrumentIndex(0), 0, hour.duration_ns(), MarketData::Bar(coarse)));
    assert_eq!(desk.venue.next_ns(), MINUTE_NS);
    desk.advance_to(3 * MINUTE_NS);
    assert_eq!(desk.place(Buy, 1, Limit(50)), []);
    assert_eq!(desk.advance_to(hour.duration_ns()), []);
}

#[test]
fn reduce_only_never_opens() {
    let mut desk = on_quotes();
    desk.quote(100, 50, 101, 50);
    assert_eq!(desk.request(Sell, 1, Market, GoodTillCancelled, true), [Rejected(1, Code::ReduceOnly)]);
    desk.place(Buy, 5, Market);
    assert_eq!(desk.request(Sell, 6, Market, GoodTillCancelled, true), [Rejected(3, Code::ReduceOnly)], "more than is held");
    assert_eq!(desk.request(Buy, 1, Market, GoodTillCancelled, true), [Rejected(4, Code::ReduceOnly)]);
    assert_eq!(desk.request(Sell, 5, Limit(110), GoodTillCancelled, true), []);
    desk.place(Sell, 2, Market);
    assert_eq!(desk.quote(111, 50, 112, 50), [filled(5, 110, 3, Maker), Cancelled(5, Code::ReduceOnly)], "what is left to reduce");
    assert_eq!(desk.held(), 0);
}

/// A long position of three, behind it an order of five that may only reduce it, and one that may do more.
fn with_an_order_to_be_cut(mut desk: Desk) -> Desk {
    assert_eq!(desk.held(), 5);
    assert_eq!(desk.request(Sell, 5, Limit(110), GoodTillCancelled, true), []);
    assert_eq!(desk.place(Sell, 9, Limit(110)), []);
    desk.place(Sell, 2, Market);
    desk
}

#[test]
fn what_a_cut_order_may_not_take_is_there_for_the_next() {
    let cut = [filled(2, 110, 3, Maker), Cancelled(2, Code::ReduceOnly), filled(3, 110, 3, Maker)];

    let mut desk = on_trades(FillModel::default());
    desk.trade(100, 1);
    desk.place(Buy, 5, Market);
    desk.trade(100, 5);
    let mut desk = with_an_order_to_be_cut(desk);
    desk.trade(100, 2);
    assert_eq!(desk.trade(111, 6), cut);

    let mut desk = on_quotes();
    desk.quote(100, 50, 101, 50);
    desk.place(Buy, 5, Market);
    let mut desk = with_an_order_to_be_cut(desk);
    assert_eq!(desk.quote(111, 6, 112, 50), cut);

    let mut desk = on_bars();
    desk.bar(0, [100, 100, 100, 100], 0);
    desk.place(Buy, 5, Market);
    let mut desk = with_an_order_to_be_cut(desk);
    desk.advance_to(3 * MINUTE_NS - 1);
    assert_eq!(desk.bar(3, [111, 111, 111, 111], 6), cut);
}

#[test]
fn what_a_taker_that_is_cut_leaves_is_there_for_the_next() {
    let mut desk = on_depth();
    desk.book(&[(100, 1), (99, 50)], &[(101, 5)]);
    desk.place(Buy, 5, Market);
    // It waits for more than is shown, while something else reduces the position.
    assert_eq!(desk.request(Sell, 5, Limit(100), GoodTillCancelled, true), [filled(2, 100, 1, Taker)]);
    assert_eq!(desk.place(Sell, 2, Market), [filled(3, 99, 2, Taker)]);
    assert_eq!(desk.level(Buy, 100, 10), [filled(2, 100, 2, Taker), Cancelled(2, Code::ReduceOnly)]);
    assert_eq!(desk.place(Sell, 9, Limit(100)), [filled(4, 100, 8, Taker)]);
}

#[test]
fn the_rules_of_size_and_grid() {
    let specification = Specification { tick: 5, lot: 3, minimum_quantity: 6, minimum_notional: 1_000, ..perpetual("v", "X", "X", "USD") };
    let mut desk = Desk::new(specification, &[StreamKind::Quotes], FillModel::default());
    desk.quote(100, 50, 105, 50);
    assert_eq!(desk.place(Buy, 6, Limit(101)), [Rejected(1, Code::OffGrid)]);
    assert_eq!(desk.place(Buy, 7, Limit(100)), [Rejected(2, Code::OffGrid)]);
    assert_eq!(desk.place(Buy, 3, Limit(100)), [Rejected(3, Code::BelowMinimumQuantity)]);
    assert_eq!(desk.place(Buy, 9, Limit(100)), [Rejected(4, Code::BelowMinimumNotional)]);
    assert_eq!(desk.place(Buy, 12, Limit(100)), []);
}

/// 0.1 % maker, 0.2 % taker; prices of two decimals, quantities of five, money of eight.
fn spot_desk(asset: FeeAsset, units: i128) -> Desk {
    let fees = Fees { maker: 1_000_000, taker: 2_000_000, liquidation: 0, asset };
    let specification = Specification { fees, ..spot("v", "XUSD", "X", "USD") };
    Desk::with_balance(specification, &[StreamKind::Quotes], FillModel::default(), units)
}

fn wallet(desk: &Desk, asset: &str) -> i128 {
    let index = Index::new(&[], &[spot("v", "XUSD", "X", "USD")]).unwrap();
    desk.venue.account().wallet(index.find_asset(asset).unwrap())
}

#[test]
fn a_spot_fee_in_what_is_received_reduces_the_position_and_not_its_cost() {
    let mut desk = spot_desk(FeeAsset::Received, 1_000);
    desk.quote(2_000, 100_000, 2_500, 100_000);
    // 0.5 at 25.00 cost 12.50; 0.2 % of 0.5 is 0.001.
    let fill = Filled { order: 1, price: 2_500, quantity: 50_000, role: Taker, fee: 100 };
    assert_eq!(desk.place(Buy, 50_000, Market), [fill]);
    let position = desk.venue.account().position(InstrumentIndex(0));
    assert_eq!((position.quantity, position.cost), (49_900, 2_500 * 50_000));
    assert_eq!(wallet(&desk, "USD"), 100_000_000_000 - 1_250_000_000);
    assert_eq!(wallet(&desk, "X"), 1_000 * 100_000 + 49_900);
    // 0.499 at 20.00 bring 9.98 less 0.2 % of it, 0.01996.
    let fill = Filled { order: 2, price: 2_000, quantity: 49_900, role: Taker, fee: 1_996_000 };
    assert_eq!(desk.place(Sell, 49_900, Market), [fill]);
    let position = desk.venue.account().position(InstrumentIndex(0));
    assert_eq!((position.quantity, position.cost, position.realised), (0, 0, 2_000 * 49_900 - 2_500 * 50_000));
    assert_eq!(wallet(&desk, "USD"), 100_000_000_000 - 1_250_000_000 + 998_000_000 - 1_996_000);
}

#[test]
fn a_spot_fee_in_the_quote_is_held_back_and_paid_on_both_sides() {
    let mut desk = spot_desk(FeeAsset::Quote, 100);
    desk.quote(2_000, 1_000_000, 2_500, 1_000_000);
    // 4 at 25.00 are the whole 100.00, but 0.2 % of it are missing.
    assert_eq!(desk.place(Buy, 400_000, Limit(2_500)), [Rejected(1, Code::InsufficientFunds)]);
    // 0.1 % of 3.9 at 24.00, 93.60, is 0.0936.
    assert_eq!(desk.place(Buy, 390_000, Limit(2_400)), []);
    assert_eq!(desk.place(Buy, 30_000, Market), [Rejected(3, Code::InsufficientFunds)], "93.7872 of 100 are held back");
    let fill = Filled { order: 2, price: 2_400, quantity: 390_000, role: Maker, fee: 9_360_000 };
    assert_eq!(desk.quote(2_000, 1_000_000, 2_300, 1_000_000), [fill]);
    assert_eq!(wallet(&desk, "USD"), 10_000_000_000 - 9_360_000_000 - 9_360_000);
}

#[test]
fn a_market_order_cannot_spend_what_a_limit_order_holds_back() {
    let mut desk = spot_desk(FeeAsset::Received, 100);
    desk.quote(900, 1_000_000, 1_000, 100_000);
    assert_eq!(desk.place(Buy, 1_000_000, Limit(800)), [], "80 of 100 held back");
    // 1 at 10.00 is there; the second one meets 12.00 and finds 10 left.
    let fill = Filled { order: 2, price: 1_000, quantity: 100_000, role: Taker, fee: 200 };
    assert_eq!(desk.place(Buy, 200_000, Market), [fill]);
    assert_eq!(desk.quote(900, 1_000_000, 1_200, 100_000), [Cancelled(2, Code::InsufficientFunds)]);
    let Filled { order: 1, quantity: 1_000_000, .. } = desk.quote(600, 1_000_000, 700, 1_000_000)[0] else { panic!("not filled") };
}

/// Ten times leverage at most, 5 % maintenance; 0.05 % taker, 1 % liquidation.
fn margin_desk(units: i128) -> Desk {
    let fees = Fees { maker: 0, taker: 500_000, liquidation: 10_000_000, asset: FeeAsset::Quote };
    let margin = Some(tradewind_core::instrument::Margin { initial: 100_000_000, maintenance: 50_000_000 });
    let specification = Specification { fees, margin, ..perpetual("v", "X", "X", "USD") };
    Desk::with_balance(specification, &[StreamKind::Quotes, StreamKind::Marks, StreamKind::Funding], FillModel::default(), units)
}

fn mark(desk: &mut Desk, price: i64) -> Vec<Answer> {
    desk.row(MarketData::Mark(price))
}

#[test]
fn funding_is_paid_by_long_at_the_mark() {
    let mut desk = margin_desk(1_000);
    desk.quote(1_000, 100_000, 1_000, 100_000);
    mark(&mut desk, 1_010);
    desk.place(Buy, 2_000, Market);
    // 2 at a mark of 101.0 are 202; 0.01 % of it is 0.0202.
    assert_eq!(desk.row(MarketData::Funding(100_000)), [Answer::Funding(-2_020_000)]);
    desk.place(Sell, 3_000, Market);
    assert_eq!(desk.row(MarketData::Funding(100_000)), [Answer::Funding(1_010_000)]);
    desk.place(Buy, 1_000, Market);
    assert_eq!(desk.row(MarketData::Funding(100_000)), [], "no position");
}

#[test]
fn a_margin_call_comes_before_the_forced_close_and_its_fee() {
    let mut desk = margin_desk(100);
    desk.quote(1_000, 100_000, 1_000, 100_000);
    mark(&mut desk, 1_000);
    // 9.9 at 100.0 need 99 and a fee of 0.495; ten would need 100 and 0.5.
    assert_eq!(desk.place(Buy, 10_000, Market), [Rejected(1, Code::InsufficientFunds)]);
    desk.place(Buy, 9_900, Market);
    // Wallet 99.505. At a mark of p: equity 99.505 + 9.9 (p - 100), maintenance 0.495 p.
    // Call at 0.495 p >= 0.8 × equity: p <= 95.9 (maintenance 47.47, equity 58.92, 80 % 47.13), not at 96.0 (47.52, 59.91, 47.92).
    assert_eq!(mark(&mut desk, 960), []);
    assert_eq!(mark(&mut desk, 959), [Answer::Call]);
    assert_eq!(mark(&mut desk, 955), [], "called already");
    // Liquidation at equity < maintenance: 9.405 p < 890.495, p <= 94.6 (889.71), not at 94.7 (890.65).
    assert_eq!(mark(&mut desk, 947), []);
    // The fee is 1 % of 936.54, the close pays 0.05 % of it.
    let close = Filled { order: 0, price: 946, quantity: 9_900, role: Taker, fee: 46_827_000 };
    assert_eq!(mark(&mut desk, 946), [Answer::LiquidationFee(936_540_000), close]);
    assert_eq!(desk.held(), 0);
}

#[test]
fn a_mark_price_that_stopped_does_not_hide_a_fall() {
    let mut desk = margin_desk(100);
    desk.quote(1_000, 100_000, 1_000, 100_000);
    mark(&mut desk, 1_000);
    desk.place(Buy, 9_900, Market);
    desk.now_ns += 50 * SECOND_NS;
    assert_eq!(desk.quote(940, 100_000, 940, 100_000), [], "the mark price is fresh");
    desk.now_ns += 20 * SECOND_NS;
    assert!(matches!(desk.quote(940, 100_000, 940, 100_000)[..], [Answer::LiquidationFee(_), Filled { price: 940, .. }]));
}

#[test]
fn a_sale_below_the_market_needs_the_margin_of_the_market() {
    let mut desk = margin_desk(100);
    desk.quote(1_000, 100_000, 1_000, 100_000);
    mark(&mut desk, 1_000);
    // 10 at 100.0 need 100 and a fee of 0.5, whatever the price that the order names.
    assert_eq!(desk.place(Sell, 10_000, Limit(100)), [Rejected(1, Code::InsufficientFunds)]);
    assert_eq!(desk.place(Sell, 10_000, Market), [Rejected(2, Code::InsufficientFunds)]);
    assert!(matches!(desk.place(Sell, 9_900, Limit(100))[..], [Filled { price: 1_000, quantity: 9_900, .. }]));
}

#[test]
fn insurance_pays_what_a_gap_leaves_missing() {
    let mut desk = margin_desk(100);
    desk.quote(1_000, 100_000, 1_000, 100_000);
    mark(&mut desk, 1_000);
    desk.place(Buy, 9_900, Market);
    desk.place(Buy, 1, Limit(500));
    // At 80.0: wallet 99.505 - 198 - 7.92 - 0.396 = -106.811.
    let close = Filled { order: 0, price: 800, quantity: 9_900, role: Taker, fee: 39_600_000 };
    let answers = mark(&mut desk, 800);
    assert_eq!(answers, [Cancelled(2, Code::Liquidation), Answer::LiquidationFee(792_000_000), close, Answer::Insurance(10_681_100_000)]);
    assert_eq!(desk.venue.account().ledger().sum(tradewind_core::instrument::AssetIndex(1), tradewind_core::account::Bucket::Wallet), 0);
}

#[test]
fn a_fill_that_leaves_the_margin_short_is_seen_at_once() {
    let mut desk = margin_desk(100);
    desk.quote(1_000, 100_000, 1_000, 1);
    mark(&mut desk, 1_000);
    // The market order is priced at 100.0 but meets 105.5: equity is 54.4 less at once, and maintenance 49.5.
    assert_eq!(desk.place(Buy, 9_900, Market).len(), 1);
    let answers = desk.quote(1_000, 100_000, 1_055, 100_000);
    assert!(matches!(answers[..], [Filled { price: 1_055, .. }, Answer::LiquidationFee(_), Filled { order: 0, .. }]), "{answers:?}");
}

/// One account for a spot pair at 10.00 and its perpetual at 10.0, with 100 in it.
struct Mixed {
    venue: SimulatedVenue,
    orders: u64,
}

impl Mixed {
    fn new() -> Self {
        let index = Index::new(&[], &[spot("v", "XUSD", "X", "USD"), perpetual("v", "X-PERP", "X", "USD")]).unwrap();
        let streams = [0, 1].map(|at| Stream { instrument: InstrumentIndex(at), kind: StreamKind::Quotes });
        let settings = venue("v", Latency::Constant(0), Latency::Constant(0), FillModel::default());
        let mut venue = SimulatedVenue::new(Arc::new(index), VenueIndex(0), settings, &streams);
        venue.deposit(tradewind_core::instrument::AssetIndex(1), 10_000_000_000, 0);
        let mut mixed = Self { venue, orders: 0 };
        mixed.quote(0, 1_000);
        mixed.quote(1, 100);
        mixed
    }

    fn quote(&mut self, at: u32, price: i64) -> Vec<AccountEvent> {
        let quote = Quote { bid: price, bid_quantity: 1_000_000_000, ask: price, ask_quantity: 1_000_000_000 };
        self.venue.output.clear();
        self.venue.on_market(&MarketEvent::new(InstrumentIndex(at), 1, 1, MarketData::Quote(quote)));
        self.venue.output.iter().map(|(_, event)| *event).collect()
    }

    fn buy(&mut self, at: u32, quantity: i64, order_type: OrderType) -> Vec<AccountEvent> {
        self.orders += 1;
        let order = NewOrder {
            account: AccountIndex(0),
            slot: PositionSlot::Net,
            instrument: InstrumentIndex(at),
            side: Buy,
            quantity,
            order_type,
            time_in_force: GoodTillCancelled,
            reduce_only: false,
        };
        self.venue.output.clear();
        self.venue.on_request(
            &Request::Place { id: OrderId(self.orders), strategy: StrategyIndex(0), count: self.orders, order, by_target: false },
            2,
        );
        self.venue.output.iter().map(|(_, event)| *event).collect()
    }
}

#[test]
fn spot_orders_and_positions_of_one_account_leave_each_other_their_money() {
    let mut mixed = Mixed::new();
    // 160 at 10.0 need 80 of margin; two at 10.00 may be bought of what is left, a third may not.
    assert!(matches!(mixed.buy(1, 160_000, Market)[..], [AccountEvent::Accepted(_), AccountEvent::Fill(_)]));
    assert_eq!(mixed.buy(0, 300_000, Market), [AccountEvent::Rejected(OrderId(2), Code::InsufficientFunds)]);
    assert!(matches!(mixed.buy(0, 200_000, Market)[..], [AccountEvent::Accepted(_), AccountEvent::Fill(_)]));
    // And the other way round: what a limit order holds back is no margin.
    let mut mixed = Mixed::new();
    assert!(matches!(mixed.buy(0, 300_000, Limit(900))[..], [AccountEvent::Accepted(_)]));
    assert_eq!(mixed.buy(1, 160_000, Market), [AccountEvent::Rejected(OrderId(2), Code::InsufficientFunds)]);
}

#[test]
fn a_spot_purchase_that_leaves_a_position_short_of_margin_is_seen_at_once() {
    let mut mixed = Mixed::new();
    assert!(matches!(mixed.buy(0, 500_000, Limit(900))[..], [AccountEvent::Accepted(_)]));
    assert_eq!(mixed.buy(1, 100_000, Market).len(), 2);
    // 10 lost of 100; 29.7 are needed to stay open, and 45 go to the purchase: 0.66 of what is left.
    assert_eq!(mixed.quote(1, 99), []);
    // At 9.8 there are 80, 35 after the purchase: 29.4 are 0.84 of it.
    assert_eq!(mixed.quote(1, 98), []);
    let events = mixed.quote(0, 800);
    assert!(matches!(events[..], [AccountEvent::Fill(_), AccountEvent::MarginCall { .. }]), "{events:?}");
}

#[test]
fn no_price_or_quantity_overflows() {
    const LARGEST: i64 = 1_000_000_000_000_000_000;
    for specification in [perpetual("v", "X", "X", "USD"), spot("v", "X", "X", "USD")] {
        for multiplier in [1, 1_000_000_000_000] {
            let mut desk = Desk::new(Specification { multiplier, ..specification.clone() }, &[StreamKind::Quotes], FillModel::default());
            desk.quote(1, LARGEST, 1, LARGEST);
            for quantity in [1, LARGEST] {
                for _ in 0..12 {
                    desk.place(Buy, quantity, Market);
                    desk.place(Sell, quantity, Limit(LARGEST));
                }
            }
            for price in [1, LARGEST, 1] {
                desk.quote(price, LARGEST, price, LARGEST);
                desk.row(MarketData::Mark(price));
                desk.row(MarketData::Funding(LARGEST));
                desk.place(Buy, LARGEST, Limit(LARGEST));
                desk.place(Sell, LARGEST, Market);
            }
        }
    }
}
