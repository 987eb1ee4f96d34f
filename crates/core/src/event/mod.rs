//! The one input of the engine, and the stream of inputs and decisions that a run leaves.

mod chain;
mod check;
mod codec;
mod data;
mod input;
mod status;

pub use chain::{Block, CHECKSUM_BYTES, checksum, following};
pub use codec::{CODEC_VERSION, Entries, Entry, decode_entries, encode_decision, encode_input, entries};
pub use data::{DataEvent, DataValue};
pub use input::{AccountEvent, AccountReport, Command, Event, Filter, Holding, ParameterEvent, TimerFired};
pub use status::{Condition, Part, StatusEvent};
