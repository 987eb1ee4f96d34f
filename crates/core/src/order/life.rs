//! The life of an order: one exhaustive table of status × report.

use serde::{Deserialize, Serialize};

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// Asked for by a strategy; risk has not looked at it yet.
    Queued,
    /// Sent; the venue has not answered.
    InFlight,
    /// Resting at the venue, nothing filled.
    Open,
    /// Resting at the venue, partly filled.
    PartlyFilled,
    /// A change was sent; the venue has not answered.
    AmendInFlight,
    /// A cancel was sent; the venue has not answered.
    CancelInFlight,
    /// The venue may or may not have it; it is asked for by its client id.
    Unknown,
    /// Filled whole.
    Filled,
    /// Cancelled, by us or by the venue.
    Cancelled,
    /// Refused by risk or rejected by the venue.
    Rejected,
    /// Its time in force ended.
    Expired,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 11] = [
        Status::Queued,
        Status::InFlight,
        Status::Open,
        Status::PartlyFilled,
        Status::AmendInFlight,
        Status::CancelInFlight,
        Status::Unknown,
        Status::Filled,
        Status::Cancelled,
        Status::Rejected,
        Status::Expired,
    ];

    /// Whether nothing can happen to the order any more.
    #[inline]
    pub const fn is_closed(self) -> bool {
        matches!(self, Status::Filled | Status::Cancelled | Status::Rejected | Status::Expired)
    }

    /// The word for it in files and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::InFlight => "in_flight",
            Status::Open => "open",
            Status::PartlyFilled => "partly_filled",
            Status::AmendInFlight => "amend_in_flight",
            Status::CancelInFlight => "cancel_in_flight",
            Status::Unknown => "unknown",
            Status::Filled => "filled",
            Status::Cancelled => "cancelled",
            Status::Rejected => "rejected",
            Status::Expired => "expired",
        }
    }
}

/// What is reported about an order, by us (the first five) or by its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Report {
    /// Risk passed it and it was sent.
    Sent,
    /// Risk refused it.
    Refused,
    /// A change of it was sent.
    AmendSent,
    /// A cancel of it was sent.
    CancelSent,
    /// No answer came in time, or the connection broke before one.
    Lost,
    /// The venue has it.
    Accepted,
    /// The venue does not take it.
    Rejected,
    /// The venue changed it.
    Amended,
    /// The venue did not change it.
    AmendRejected,
    /// The venue did not cancel it.
    CancelRejected,
    /// A fill that leaves something open.
    PartFill,
    /// The fill that completes it.
    LastFill,
    /// The venue cancelled it.
    Cancelled,
    /// The venue ended it because its time in force ended.
    Expired,
}

impl Report {
    /// Every report.
    pub const ALL: [Report; 14] = [
        Report::Sent,
        Report::Refused,
        Report::AmendSent,
        Report::CancelSent,
        Report::Lost,
        Report::Accepted,
        Report::Rejected,
        Report::Amended,
        Report::AmendRejected,
        Report::CancelRejected,
        Report::PartFill,
        Report::LastFill,
        Report::Cancelled,
        Report::Expired,
    ];
}

/// What a report means for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The order goes to this status (which may be the one it has).
    Become(Status),
    /// The report says what is known already, or is older than what is known: it changes nothing.
    Stale,
    /// Money moved although the order was closed: the fill is booked, the status stays.
    BookOnly,
    /// The report cannot be true of an order in this status: it is an error, shown and not applied.
    Impossible,
}

/// What the venue has said of an order so far: it decides what the order is again when a change of it was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Confirmed {
    /// Nothing: the venue may never have had it.
    #[default]
    Nothing,
    /// That it has the order.
    Acceptance,
    /// That some of it was filled.
    Fill,
}

impl Confirmed {
    /// Everything that may have been said.
    pub const ALL: [Confirmed; 3] = [Confirmed::Nothing, Confirmed::Acceptance, Confirmed::Fill];
}

/// The table: what a report means for an order in a status.
///
/// What was confirmed decides between open and partly filled where a report leaves the order resting, and whether it
/// rests at all after a refused cancel.
#[inline]
#[allow(clippy::match_same_arms, reason = "the arms are in the order in which a person would reason")]
pub const fn next_status(status: Status, report: Report, confirmed: Confirmed) -> Outcome {
    use Outcome::{Become, BookOnly, Impossible, Stale};
    let filled = matches!(confirmed, Confirmed::Fill);
    let resting = if filled { Status::PartlyFilled } else { Status::Open };
    match (status, report) {
        // Ours: each is possible from exactly the statuses in which we would do it.
        (Status::Queued, Report::Sent) => Become(Status::InFlight),
        (Status::Queued, Report::Refused) => Become(Status::Rejected),
        // Asked to cancel before it was sent: it never leaves.
        (Status::Queued, Report::Cancelled) => Become(Status::Cancelled),
        (Status::Queued, _) => Impossible,
        (_, Report::Sent | Report::Refused) => Impossible,
        (Status::Open | Status::PartlyFilled, Report::AmendSent) => Become(Status::AmendInFlight),
        (_, Report::AmendSent) => Impossible,
        (Status::InFlight | Status::Open | Status::PartlyFilled | Status::AmendInFlight | Status::Unknown, Report::CancelSent) => {
            Become(Status::CancelInFlight)
        }
        (_, Report::CancelSent) => Impossible,
        (Status::InFlight | Status::AmendInFlight | Status::CancelInFlight, Report::Lost) => Become(Status::Unknown),
        (Status::Unknown, Report::Lost) => Stale,
        (Status::Open | Status::PartlyFilled, Report::Lost) => Stale,

        // A closed order: fills move money even when they come late, all else is old.
        (Status::Filled, Report::PartFill | Report::LastFill) => Impossible,
        (Status::Cancelled | Status::Rejected | Status::Expired, Report::PartFill | Report::LastFill) => BookOnly,
        (Status::Filled | Status::Cancelled | Status::Rejected | Status::Expired, _) => Stale,

        // The venue's, for an order that is not closed.
        (_, Report::LastFill) => Become(Status::Filled),
        (_, Report::Cancelled) => Become(Status::Cancelled),
        (_, Report::Expired) => Become(Status::Expired),
        // A cancel or change that is under way is not ended by a fill or a late acceptance.
        (Status::AmendInFlight | Status::CancelInFlight, Report::PartFill | Report::Accepted) => Become(status),
        (_, Report::PartFill) => Become(Status::PartlyFilled),
        (Status::InFlight | Status::Unknown, Report::Accepted) => Become(resting),
        (Status::Open | Status::PartlyFilled, Report::Accepted) => Stale,
        (Status::InFlight | Status::Unknown, Report::Rejected) => Become(Status::Rejected),
        // The cancel overtook the order: the venue then rejects the order itself.
        (Status::CancelInFlight, Report::Rejected) => {
            if filled {
                Impossible
            } else {
                Become(Status::Rejected)
            }
        }
        (Status::Open | Status::PartlyFilled | Status::AmendInFlight, Report::Rejected) => Impossible,
        (Status::AmendInFlight | Status::Unknown, Report::Amended | Report::AmendRejected) => Become(resting),
        (Status::CancelInFlight, Report::Amended | Report::AmendRejected) => Become(status),
        (Status::Open | Status::PartlyFilled, Report::Amended | Report::AmendRejected) => Stale,
        (Status::InFlight, Report::Amended | Report::AmendRejected | Report::CancelRejected) => Impossible,
        // That there is nothing to cancel, or that the cancel could not leave, does not say that the venue has the order.
        (Status::CancelInFlight, Report::CancelRejected) if matches!(confirmed, Confirmed::Nothing) => Become(Status::Unknown),
        (Status::Unknown, Report::CancelRejected) if matches!(confirmed, Confirmed::Nothing) => Stale,
        (Status::CancelInFlight | Status::Unknown, Report::CancelRejected) => Become(resting),
        (Status::Open | Status::PartlyFilled | Status::AmendInFlight, Report::CancelRejected) => Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Become, BookOnly, Impossible, Stale};

    /// The whole table as a person would draw it: rows are statuses, columns reports in
    /// the order of `Report::ALL`. Letters: the first letters of the next status
    /// (Q i o p a c u F C R E), `=` stale, `b` booked only, `!` impossible, `r` resting, `k` resting if the venue
    /// is known to have it, else unknown.
    const TABLE: [(&str, Status); 11] = [
        ("i R ! ! ! ! ! ! ! ! ! ! C !", Status::Queued),
        ("! ! ! c u r R ! ! ! p F C E", Status::InFlight),
        ("! ! a c = = ! = = = p F C E", Status::Open),
        ("! ! a c = = ! = = = p F C E", Status::PartlyFilled),
        ("! ! ! c u a ! r r = a F C E", Status::AmendInFlight),
        ("! ! ! ! u c R c c k c F C E", Status::CancelInFlight),
        ("! ! ! c = r R r r k p F C E", Status::Unknown),
        ("! ! ! ! = = = = = = ! ! = =", Status::Filled),
        ("! ! ! ! = = = = = = b b = =", Status::Cancelled),
        ("! ! ! ! = = = = = = b b = =", Status::Rejected),
        ("! ! ! ! = = = = = = b b = =", Status::Expired),
    ];

    fn expected(letter: &str, confirmed: Confirmed) -> Outcome {
        match letter {
            "!" => Impossible,
            "=" => Stale,
            "b" => BookOnly,
            "r" if confirmed == Confirmed::Fill => Become(Status::PartlyFilled),
            "r" => Become(Status::Open),
            "i" => Become(Status::InFlight),
            "p" => Become(Status::PartlyFilled),
            "a" => Become(Status::AmendInFlight),
            "c" => Become(Status::CancelInFlight),
            "u" => Become(Status::Unknown),
            "F" => Become(Status::Filled),
            "C" => Become(Status::Cancelled),
            "R" => Become(Status::Rejected),
            "E" => Become(Status::Expired),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_cell_of_the_table() {
        for (row, status) in TABLE {
            let letters: Vec<_> = row.split(' ').collect();
            assert_eq!(letters.len(), Report::ALL.len());
            for (letter, report) in letters.into_iter().zip(Report::ALL) {
                for confirmed in Confirmed::ALL {
                    let wanted = match (letter, confirmed) {
                        ("R", Confirmed::Fill) if status == Status::CancelInFlight => Impossible,
                        ("k", Confirmed::Nothing) if status == Status::Unknown => Stale,
                        ("k", Confirmed::Nothing) => Become(Status::Unknown),
                        ("k", _) => expected("r", confirmed),
                        _ => expected(letter, confirmed),
                    };
                    assert_eq!(next_status(status, report, confirmed), wanted, "{status:?} {report:?} {confirmed:?}");
                }
            }
        }
    }

    #[test]
    fn a_closed_order_stays_closed() {
        for status in Status::ALL.into_iter().filter(|status| status.is_closed()) {
            for report in Report::ALL {
                for confirmed in Confirmed::ALL {
                    assert!(!matches!(next_status(status, report, confirmed), Become(_)));
                }
            }
        }
    }
}
