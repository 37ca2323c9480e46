//! The target `answers` with a bug on purpose: it does not survive a page that has rows and claims that there are none.
//! No answer of the corpus is like that. If this is not found, a fuzzer that finds nothing says nothing.

#![no_main]

use fuzz::{decode, reply};
use libfuzzer_sys::fuzz_target;
use pluvo_operator::pluvo::request::QueryAnswer;

fuzz_target!(|input: &[u8]| {
    let Some(reply) = reply(input) else { return };
    for answer in decode(&reply.body).queries {
        if let QueryAnswer::Users(page) = answer {
            assert!(page.rows.is_empty() || page.count != Some(0), "the bug on purpose");
        }
    }
});
