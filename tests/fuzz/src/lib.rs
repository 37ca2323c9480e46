//! What comes from outside: no input may end in a panic, a lost row, or an error that quotes data.
//!
//! Each function takes one input. libFuzzer makes them up (`make fuzz`); the tests here replay the corpus, and what
//! random changes make of it.

mod answers;
mod client;
mod manifests;
#[cfg(test)]
mod tests;
mod tokens;
mod webhooks;

pub use self::{
    answers::{answers, seeded},
    manifests::manifests,
    tokens::tokens,
    webhooks::webhooks,
};
