//! The one table of errors, refusals and rejections, with stable codes.
//!
//! A code is a short word that never changes its meaning; messages may improve.
//! The table is also what `docs/errors.md` is generated from.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($variant:ident => $slug:literal, $summary:literal;)*) => {
        /// What went wrong, as a stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $summary] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable name that users, scripts and the documentation refer to.
            pub const fn slug(self) -> &'static str {
                match self { $(Code::$variant => $slug,)* }
            }

            /// What the code means, in one sentence.
            pub const fn summary(self) -> &'static str {
                match self { $(Code::$variant => $summary,)* }
            }

            /// The code of a slug.
            pub fn from_slug(slug: &str) -> Option<Code> {
                match slug {
                    $($slug => Some(Code::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// Journals hold the slug, so that the table may grow anywhere.
impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let slug = <&str>::deserialize(deserializer)?;
        Code::from_slug(slug).ok_or_else(|| serde::de::Error::custom(format!("unknown code {slug:?}")))
    }
}

codes! {
    // Definitions
    BadSpecification => "bad_specification", "An instrument's specification is impossible or incomplete.";
    UnknownInstrument => "unknown_instrument", "No instrument of this name is defined.";
    UnknownAsset => "unknown_asset", "No asset of this name is defined.";
    UnknownVenue => "unknown_venue", "No venue of this name is defined.";
    DuplicateName => "duplicate_name", "The same name is defined twice.";
    MissingSetting => "missing_setting", "Something that decides numbers was not stated, and is never guessed.";
    BadSetting => "bad_setting", "A setting has an impossible value.";
    // Numbers
    OffGrid => "off_grid", "A number is not on the instrument's grid of prices or quantities.";
    NotANumber => "not_a_number", "A value is not a finite number.";
    OutOfRange => "out_of_range", "A number does not fit the range that can be held exactly.";
    // Data
    UnsortedRows => "unsorted_rows", "Rows are not in the order of time.";
    RepeatedTradeId => "repeated_trade_id", "The same trade id occurs twice in one stream.";
    NegativeValue => "negative_value", "A price, size or volume is negative, or a price is zero.";
    CrossedQuote => "crossed_quote", "A quote's bid is above its ask.";
    InconsistentBar => "inconsistent_bar", "A bar's high or low does not contain its open and close.";
    OverlappingBars => "overlapping_bars", "A bar begins before the one before it has ended.";
    ArrivalBeforeVenueTime => "arrival_before_venue_time", "A row arrived before it happened at the venue.";
    MissingColumn => "missing_column", "A table lacks a column that is needed.";
    WrongType => "wrong_type", "A value or column has a type that cannot be used.";
    EmptyData => "empty_data", "A file or table holds no rows.";
    UnreadableFile => "unreadable_file", "A file cannot be read to its end.";
    MissingStream => "missing_stream", "A strategy named a stream that the data do not hold.";
    BookGap => "book_gap", "A book update does not continue the one before it.";
    // Calls of a strategy
    BadQuantity => "bad_quantity", "An order's quantity is zero, negative or not a number.";
    BadPrice => "bad_price", "An order's price is missing, zero, negative or not a number.";
    UnknownOrder => "unknown_order", "No order of this id is known.";
    ContextOutsideCallback => "context_outside_callback", "The context was used outside of a callback.";
    NotInOnStart => "not_in_on_start", "This can be called only while a strategy starts.";
    EndlessDecisions => "endless_decisions", "One event led to more than 1,000 rounds of decisions, or a strategy has 100,000 open orders and places another.";
    BadStrategy => "bad_strategy", "A strategy cannot be loaded or its parameters are wrong.";
    StrategyFailed => "strategy_failed", "A callback raised an exception.";
    // Refusals: our own checks
    RiskOrderQuantity => "risk_order_quantity", "The order is larger than the limit on order quantity.";
    RiskOrderNotional => "risk_order_notional", "The order is worth more than the limit on order notional.";
    RiskPosition => "risk_position", "The order could take the position over its limit.";
    RiskOpenOrders => "risk_open_orders", "Too many orders are working already.";
    RiskPriceCollar => "risk_price_collar", "The order's price is too far from the mark.";
    RiskNoMark => "risk_no_mark", "A limit needs a mark price and there is none yet.";
    RiskUser => "risk_user", "A check written by the user refused the order.";
    RiskOrderRate => "risk_order_rate", "More orders within the interval than the limit on their rate allows.";
    RiskDailyLoss => "risk_daily_loss", "The loss of this UTC day has reached its limit.";
    RiskStaleData => "risk_stale_data", "What is known of the market is old or has a hole.";
    VenueDisconnected => "venue_disconnected", "Orders do not reach the venue now.";
    TradingOff => "trading_off", "Trading is off.";
    // Rejections and cancellations: the venue's
    MarketHalted => "market_halted", "The venue takes no new orders for the instrument.";
    InsufficientFunds => "insufficient_funds", "The account cannot pay for the order or its margin.";
    BelowMinimumQuantity => "below_minimum_quantity", "The order is smaller than the venue's smallest quantity.";
    BelowMinimumNotional => "below_minimum_notional", "The order is worth less than the venue's smallest notional.";
    WouldTake => "would_take", "A post-only order would have taken liquidity.";
    NoLiquidity => "no_liquidity", "There is nothing to trade against.";
    ReduceOnly => "reduce_only", "A reduce-only order would not reduce the position.";
    ImmediateOrCancel => "immediate_or_cancel", "The rest of an immediate-or-cancel order was cancelled.";
    Requested => "requested", "Cancelled as asked.";
    OrderNotOpen => "order_not_open", "The order is not open at the venue.";
    Liquidation => "liquidation", "The venue closed the position because its margin was used up.";
    EndOfRun => "end_of_run", "The run ended.";
    // Journals
    BadJournal => "bad_journal", "A journal is truncated, altered or not a journal.";
    JournalVersion => "journal_version", "A journal was written by a version that cannot be read here.";
    Divergence => "divergence", "A replay took another decision than the recorded run.";
    BadQuery => "bad_query", "A query of a journal cannot be understood or carried out.";
    RunInterrupted => "run_interrupted", "The run was stopped before its end.";
    Internal => "internal", "A rule that must always hold was broken; this is a fault of Tradewind.";
    // Venues; behind the others, because journals know a code by its place
    BadFrame => "bad_frame", "A venue or a session sent something that cannot be read.";
    BadCredentials => "bad_credentials", "Credentials are missing, unusable or readable by others.";
    VenueRefused => "venue_refused", "A venue refused a request.";
    RateLimited => "rate_limited", "A venue's request limit is used up.";
    Unreachable => "unreachable", "A venue cannot be reached, or did not answer.";
    NotWarm => "not_warm", "History that must be there before trading could not be had.";
    // The control interface of a session
    NotAllowed => "not_allowed", "A request to a session had no valid token, or came from a foreign page.";
    NotRunning => "not_running", "The session has not started yet, is ending, or is not there.";
    UnknownStrategy => "unknown_strategy", "No strategy of this name is in the run.";
    SlowReader => "slow_reader", "A reader took so long that too much waited for it; it was dropped.";
    // Accounts
    UntrackedFees => "untracked_fees", "Fees are paid in an asset that no instrument of the run knows: profit would be wrong.";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.slug())
    }
}

/// An error for a person: what, where with the value, and what to do.
///
/// One pointer wide, so that a callback that succeeds costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error(Box<Body>);

/// What an [`Error`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The stable code.
    pub code: Code,
    /// What is wrong, where, and the value.
    pub message: String,
    /// What to do about it; empty where nothing useful can be said.
    pub hint: String,
}

impl std::ops::Deref for Error {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl Error {
    /// An error without a hint.
    #[cold]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Body { code, message: message.into(), hint: String::new() }))
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.code, self.message)?;
        if !self.hint.is_empty() {
            write!(formatter, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The result of anything that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        slugs.sort_unstable();
        let count = slugs.len();
        slugs.dedup();
        assert_eq!(slugs.len(), count);
    }
}
