//! `tradewind._core`: the kernel as Python sees it.
#![deny(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "arguments come from Python by value")]
#![allow(clippy::struct_field_names, reason = "a wrapper's field is called what it wraps")]

mod again;
mod backtest;
mod boundary;
mod chain;
mod columns;
mod context;
mod entries;
mod error;
mod event;
mod exchange;
mod history;
mod inbox;
mod indicator;
mod instrument;
mod lender;
mod number;
mod order;
mod record;
mod recording;
mod replay;
mod report;
mod risk;
mod session;
mod settings;
mod strategy;
mod synthetic;
mod wire;

use pyo3::prelude::*;

/// The kernel of Tradewind.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::again::{deposits_at, first_entries, inputs_for_another};
    #[pymodule_export]
    use crate::backtest::{Backtest, run_many};
    #[pymodule_export]
    use crate::boundary::boundary;
    #[pymodule_export]
    use crate::chain::{blocks_that_follow, checksum, span_follows};
    #[pymodule_export]
    use crate::context::Context;
    #[pymodule_export]
    use crate::entries::{entry_scales, entry_tables};
    #[pymodule_export]
    use crate::error::error_codes;
    #[pymodule_export]
    use crate::event::{Bar, BookUpdate, Fill, Funding, Mark, Quote, Status, Trade, Value};
    #[pymodule_export]
    use crate::exchange::MatchingBook;
    #[pymodule_export]
    use crate::history::History;
    #[pymodule_export]
    use crate::inbox::Inbox;
    #[pymodule_export]
    use crate::indicator::{Indicator, IndicatorSpecification};
    #[pymodule_export]
    use crate::instrument::{Index, Instrument, Stream};
    #[pymodule_export]
    use crate::order::{Order, Position, client_id, read_client_id};
    #[pymodule_export]
    use crate::record::Record;
    #[pymodule_export]
    use crate::recording::{ChunkFeed, Recording};
    #[pymodule_export]
    use crate::replay::Replay;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::strategy::NativeStrategy;
    #[pymodule_export]
    use crate::synthetic::synthetic_rows;
    #[pymodule_export]
    use crate::wire::{BinanceDecoder, BybitDecoder};

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("CHECKSUM_BYTES", tradewind_core::event::CHECKSUM_BYTES)?;
        module.add("MEASURED_SHARES", tradewind_core::venue::MEASURED_SHARES.to_vec())?;
        module.add("CODEC_VERSION", tradewind_core::event::CODEC_VERSION)?;
        module.add("STATE_HASH_VERSION", tradewind_core::state::STATE_HASH_VERSION)
    }
}
