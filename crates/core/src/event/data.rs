//! Values from outside: a model's output, a webhook, news, any table of one's own (V2).

use crate::time::TimeNs;
use serde::{Deserialize, Serialize};

/// A value of a named stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataEvent {
    /// The stream's name.
    pub name: String,
    /// When it was true, by its source.
    pub time_ns: TimeNs,
    /// When it reached us.
    pub arrival_time_ns: TimeNs,
    /// What it says.
    pub value: DataValue,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DataValue {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A JSON document, as it was written.
    Json(String),
}
