//! Pure: what is declared and what is observed go in, changes and drift come out. No I/O, no clock.

pub mod assignment;
pub mod attributes;
pub mod call;
pub mod ceiling;
mod claims;
pub mod custom_fields;
pub mod decision;
pub mod enrollment;
pub mod group;
pub mod index;
pub mod key;
pub mod membership;
pub mod object;
pub mod observed;
pub mod prediction;
pub mod registry;
pub mod report;
pub mod reporting;
pub mod resource;
pub mod scope;
pub mod subjects;
pub mod survey;
#[cfg(test)]
pub(crate) mod testing;
pub mod user;
pub mod value;

pub use call::{Action, Call, Cause, Write};
pub use decision::{Decision, Difference, Finalizer, Identity, Subject, Verdict};
pub use key::{ConnectionKey, ResourceKey};
pub use observed::Observed;
pub use registry::{Object, Registry};

/// A sentence about something that is not there, with what resembles it.
fn near(kind: &str, name: &str, near: &[String]) -> String {
    if near.is_empty() {
        format!("{kind} {name} does not exist in Pluvo")
    } else {
        format!("{kind} {name} does not exist in Pluvo; there is {}", near.join(", "))
    }
}
