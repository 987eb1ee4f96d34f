//! Orders in their queues: a slab of orders, linked first come first served at each price.

use super::{OrderKey, Participant};
use crate::market::Side;

/// No order: the end of a list.
const NONE: u32 = u32::MAX;

/// A resting order and its neighbours in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub key: OrderKey,
    pub price: i64,
    pub remaining: i64,
    pub participant: Participant,
    pub side: Side,
    pub post_only: bool,
    previous: u32,
    next: u32,
}

impl Node {
    pub fn new(key: OrderKey, participant: Participant, side: Side, price: i64, remaining: i64, post_only: bool) -> Self {
        Self { key, price, remaining, participant, side, post_only, previous: NONE, next: NONE }
    }
}

/// All resting orders; a place is free for reuse once its order is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Slab {
    nodes: Vec<Node>,
    free: Vec<u32>,
}

impl Slab {
    pub fn insert(&mut self, node: Node) -> u32 {
        if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        }
    }

    pub fn release(&mut self, place: u32) {
        self.free.push(place);
    }

    #[inline]
    pub fn get(&self, place: u32) -> &Node {
        &self.nodes[place as usize]
    }

    #[inline]
    pub fn get_mut(&mut self, place: u32) -> &mut Node {
        &mut self.nodes[place as usize]
    }
}

/// The orders at one price, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub price: i64,
    pub quantity: i64,
    head: u32,
    tail: u32,
}

impl Queue {
    /// The places of the orders, oldest first.
    pub fn places(self, slab: &Slab) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(self.head), |&place| Some(slab.get(place).next).filter(|&next| next != NONE))
    }

    /// Fills the oldest order with at most `wanted`; gives the order as it is then, and how much.
    #[inline]
    pub fn fill_oldest(&mut self, slab: &mut Slab, wanted: i64) -> (Node, i64) {
        let place = self.head;
        let node = slab.get_mut(place);
        let quantity = node.remaining.min(wanted);
        node.remaining -= quantity;
        self.quantity -= quantity;
        let node = *node;
        if node.remaining == 0 {
            self.unlink(slab, place);
            slab.release(place);
        }
        (node, quantity)
    }

    fn append(&mut self, slab: &mut Slab, place: u32) {
        let tail = self.tail;
        let node = slab.get_mut(place);
        (node.previous, node.next) = (tail, NONE);
        self.quantity += node.remaining;
        if tail == NONE {
            self.head = place;
        } else {
            slab.get_mut(tail).next = place;
        }
        self.tail = place;
    }

    fn unlink(&mut self, slab: &mut Slab, place: u32) {
        let Node { previous, next, remaining, .. } = *slab.get(place);
        self.quantity -= remaining;
        let follower = if previous == NONE { &mut self.head } else { &mut slab.get_mut(previous).next };
        *follower = next;
        let leader = if next == NONE { &mut self.tail } else { &mut slab.get_mut(next).previous };
        *leader = previous;
    }
}

/// One side of the book: its queues, worst price first, because most changes are near
/// the best price and so near the end of the array.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    side: Side,
    pub queues: Vec<Queue>,
    /// Everything that rests on this side.
    pub total: i64,
}

impl Ladder {
    pub fn new(side: Side) -> Self {
        Self { side, queues: Vec::new(), total: 0 }
    }

    /// How many queues have a worse price: where a queue of this price is or would be.
    #[inline]
    fn place_of(&self, price: i64) -> usize {
        match self.side {
            Side::Buy => self.queues.partition_point(|queue| queue.price < price),
            Side::Sell => self.queues.partition_point(|queue| queue.price > price),
        }
    }

    /// Puts an order at the end of its price's queue; gives the quantity there.
    pub fn append(&mut self, slab: &mut Slab, place: u32) -> i64 {
        let Node { price, remaining, .. } = *slab.get(place);
        let at = self.place_of(price);
        if self.queues.get(at).is_none_or(|queue| queue.price != price) {
            self.queues.insert(at, Queue { price, quantity: 0, head: NONE, tail: NONE });
        }
        self.total += remaining;
        self.queues[at].append(slab, place);
        self.queues[at].quantity
    }

    /// Takes an order out of its queue; gives the quantity that stays there.
    pub fn unlink(&mut self, slab: &mut Slab, place: u32) -> i64 {
        let Node { price, remaining, .. } = *slab.get(place);
        let at = self.place_of(price);
        self.total -= remaining;
        self.queues[at].unlink(slab, place);
        let left = self.queues[at].quantity;
        if left == 0 {
            self.queues.remove(at);
        }
        left
    }

    /// Makes an order smaller where it stands; gives the quantity at its price.
    pub fn reduce(&mut self, slab: &mut Slab, place: u32, remaining: i64) -> i64 {
        let node = slab.get_mut(place);
        let less = node.remaining - remaining;
        node.remaining = remaining;
        let at = self.place_of(node.price);
        self.total -= less;
        self.queues[at].quantity -= less;
        self.queues[at].quantity
    }
}
