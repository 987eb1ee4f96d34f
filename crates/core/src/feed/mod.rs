//! Recorded streams, merged in the order of time, in bounded memory.
//!
//! Every row is met twice: by the venue at its venue time, and by the engine when it
//! arrived (T1). Each side has its own merge over the same rows.

mod cursor;
mod merge;
mod recording;

pub use merge::{Merge, Side};
pub use recording::{Chunk, ChunkSource, Recording};
