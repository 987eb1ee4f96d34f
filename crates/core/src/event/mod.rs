//! The one input of the engine, and the stream of inputs and decisions that a run leaves.

mod check;
mod codec;
mod input;

pub use codec::{CODEC_VERSION, Entry, decode_entries, encode_entry};
pub use input::{AccountEvent, AccountReport, Command, Event, Filter, TimerFired};
