//! A position: quantity and total cost, never an average (N3).

use crate::instrument::Specification;
use crate::market::Mark;
use serde::{Deserialize, Serialize};

/// What is held of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How much, below zero when short.
    pub quantity: i64,
    /// What it cost, below zero when short, with the instrument's value decimals.
    pub cost: i128,
    /// The profit of what was closed, before fees, with the instrument's value decimals.
    pub realised: i128,
}

/// What a fill did to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The profit that it realised, with the instrument's value decimals.
    pub realised: i128,
}

impl Position {
    /// Books a signed quantity at a signed value (both above zero for a purchase).
    ///
    /// A reduction takes its share of the cost, rounded to the last value decimal; what is
    /// left keeps the rest, so that no cost is lost.
    #[inline]
    pub fn apply(&mut self, quantity: i64, value: i128) -> Change {
        let opposite = (self.quantity > 0 && quantity < 0) || (self.quantity < 0 && quantity > 0);
        if !opposite {
            self.quantity += quantity;
            self.cost += value;
            return Change { realised: 0 };
        }
        let realised = if quantity.unsigned_abs() <= self.quantity.unsigned_abs() {
            let cost = share(self.cost, -quantity, self.quantity);
            self.quantity += quantity;
            self.cost -= cost;
            -value - cost
        } else {
            let closing_value = share(value, -self.quantity, quantity);
            let realised = -closing_value - self.cost;
            self.quantity += quantity;
            self.cost = value - closing_value;
            realised
        };
        self.realised += realised;
        Change { realised }
    }

    /// Takes a fee in the base asset from the quantity, not from the cost (M2). Cost without a
    /// quantity is a loss; it is returned as what was realised.
    #[inline]
    pub fn take_base_fee(&mut self, fee: i64) -> Change {
        let before = self.quantity;
        self.quantity -= fee;
        if fee == 0 || before.signum() == self.quantity.signum() {
            return Change { realised: 0 };
        }
        let realised = -std::mem::take(&mut self.cost);
        self.realised += realised;
        Change { realised }
    }

    /// What the position would realise at the mark, with the instrument's value decimals; unknown without a mark.
    #[inline]
    pub fn unrealised(&self, specification: &Specification, mark: &Mark) -> Option<i128> {
        if self.quantity == 0 { Some(-self.cost) } else { Some(mark.value(specification, self.quantity)? - self.cost) }
    }
}

/// `whole × part / of`, rounded down towards minus infinity, without overflow.
#[inline]
fn share(whole: i128, part: i64, of: i64) -> i128 {
    if part == of {
        return whole;
    }
    let (part, of) = (i128::from(part.unsigned_abs()), i128::from(of.unsigned_abs()));
    whole.div_euclid(of) * part + (whole.rem_euclid(of) * part) / of
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn open_add_reduce_flip() {
        let mut position = Position::default();
        position.apply(2, 200);
        position.apply(1, 130);
        assert_eq!(position, Position { quantity: 3, cost: 330, realised: 0 });
        assert_eq!(position.apply(-1, -120).realised, 10);
        assert_eq!(position.apply(-5, -500).realised, -20);
        assert_eq!(position, Position { quantity: -3, cost: -300, realised: -10 });
        assert_eq!(position.apply(3, 270).realised, 30);
        assert_eq!(position, Position { quantity: 0, cost: 0, realised: 20 });
    }

    #[test]
    fn a_rebate_in_the_base_that_closes_a_position_realises_its_cost() {
        let mut position = Position::default();
        position.apply(-1, -100);
        assert_eq!(position.take_base_fee(-1).realised, 100);
        assert_eq!(position, Position { quantity: 0, cost: 0, realised: 100 });
    }

    proptest! {
        #[test]
        fn realised_and_cost_hold_everything_that_was_paid(fills in prop::collection::vec((-1_000_i64..1_000, 1_i64..100_000), 1..200)) {
            let mut position = Position::default();
            let (mut quantity, mut paid) = (0_i64, 0_i128);
            for (size, price) in fills {
                let value = i128::from(size) * i128::from(price);
                position.apply(size, value);
                quantity += size;
                paid += value;
                prop_assert_eq!(position.quantity, quantity);
                prop_assert_eq!(position.cost - position.realised, paid);
                if quantity == 0 { prop_assert_eq!(position.cost, 0); }
                prop_assert!(position.cost == 0 || position.cost.signum() == i128::from(quantity.signum()));
            }
        }
    }
}
