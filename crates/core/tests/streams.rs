//! Which streams a session receives, and what its simulated venues fill from (F1).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::at;
use common::session::*;
use common::strategy::Script;
use tradewind_core::driver::Session;
use tradewind_core::market::{BarInterval, Side};
use tradewind_core::order::OrderType;
use tradewind_core::risk::Risk;
use tradewind_core::state::{Stream, StreamKind};
use tradewind_core::time::MILLISECOND_NS;

fn book(instrument: u32) -> Stream {
    Stream { instrument: at(instrument), kind: StreamKind::Book }
}

fn minutes(instrument: u32) -> Stream {
    Stream { instrument: at(instrument), kind: StreamKind::Bars(BarInterval::from_duration(60 * S).unwrap()) }
}

/// What is received where one strategy names some of all streams of one instrument.
fn received(named: &[Stream], stated: Option<&[Stream]>) -> Vec<Stream> {
    let available = vec![book(0), quotes(0), trades(0), minutes(0)];
    let script = Script { streams: named.to_vec(), ..Script::default() };
    let mut session = Session::new(settings(&paper(), 0), vec![script.named("one")], Risk::default(), available).unwrap();
    if let Some(streams) = stated {
        session.set_streams(streams);
    }
    session.start(S, false).unwrap();
    session.received_streams()
}

#[test]
fn quotes_come_where_no_book_was_named_and_bars_come_as_trades() {
    assert_eq!(received(&[trades(0)], None), [quotes(0), trades(0)]);
    assert_eq!(received(&[minutes(0)], None), [quotes(0), trades(0)]);
    assert_eq!(received(&[book(0)], None), [book(0)]);
    assert_eq!(received(&[book(0), trades(0)], None), [book(0), trades(0)]);
    assert_eq!(received(&[], None), [quotes(0)]);
    assert_eq!(received(&[trades(0)], Some(&[book(0)])), [book(0)]);
}

#[test]
fn an_instrument_that_nobody_names_has_quotes_or_else_trades() {
    let script = Script { streams: vec![trades(0)], ..Script::default() };
    let mut session = live(vec![script.named("one")]);
    session.start(S, false).unwrap();
    assert_eq!(session.received_streams(), [quotes(0), trades(0), quotes(1)]);
    let mut session = Session::new(settings(&paper(), 0), Vec::new(), Risk::default(), vec![trades(0)]).unwrap();
    session.start(S, false).unwrap();
    assert_eq!(session.received_streams(), [trades(0)]);
}

#[test]
fn marks_and_funding_of_a_perpetual_come_whoever_named_them() {
    let [marks, funding] = [StreamKind::Marks, StreamKind::Funding].map(|kind| Stream { instrument: at(0), kind });
    for (named, others) in [(vec![trades(0)], vec![quotes(0), trades(0)]), (vec![book(0)], vec![book(0)])] {
        let script = Script { streams: named, ..Script::default() };
        let available = vec![funding, marks, book(0), quotes(0), trades(0)];
        let mut session = Session::new(settings(&paper(), 0), vec![script.named("one")], Risk::default(), available).unwrap();
        session.start(S, false).unwrap();
        assert_eq!(session.received_streams(), [vec![funding, marks], others].concat());
    }
}

/// A paper session that names quotes of an instrument whose venue has a book, too.
fn with_a_book() -> Session {
    let available = vec![book(0), quotes(0)];
    Session::new(settings(&paper(), 10 * MILLISECOND_NS), buyer(OrderType::Market, false), Risk::default(), available).unwrap()
}

#[test]
fn the_start_and_what_follows_it_are_taken_in_one_block() {
    let mut whole = with_a_book();
    whole.start(S, false).unwrap();
    for second in 1..5 {
        whole.row(&quote(0, second * S + 1, second * S + 2, 999, 1_001, 1_000_000)).unwrap();
    }
    let journal = block(&mut whole);
    let fills = whole.recorder().fills().to_vec();
    assert_eq!(fills.iter().map(|booked| booked.fill.side).collect::<Vec<_>>(), [Side::Buy], "it fills from quotes");
    // With one block there is no time behind the start at which somebody could say what is received.
    let mut again = with_a_book();
    assert_eq!(again.recover(&journal).unwrap(), None);
    assert_eq!(again.recovered(), None);
    assert_eq!(again.recorder().fills(), fills);
    assert_eq!(again.engine().state().hash(), whole.engine().state().hash());
    let mut lived = with_a_book();
    lived.live_again(&journal).unwrap();
    assert_eq!(lived.recorder().fills(), fills);
    // What a snapshot was saved with goes on.
    let mut restored = with_a_book();
    restored.restore(&again.save().unwrap()).unwrap();
    for session in [whole, again, lived, restored] {
        assert_eq!(format!("{:?}", session.venues().next().unwrap().source(at(0))), "Quotes");
    }
}
