//! What Pluvo answers to a request for a token.

#![no_main]

use fuzz::{check_error, client, reply, run};
use libfuzzer_sys::fuzz_target;
use pluvo_operator::pluvo::{operation::samples::queries, transport::Reply};

fuzz_target!(|input: &[u8]| {
    let Some(token) = reply(input) else { return };
    let answer = Reply {
        status: 200,
        retry_after: None,
        body: br#"{"data": {"q0": null}}"#.to_vec(),
    };
    run(async {
        let client = client(token, answer);
        let answers = client.query(&queries()[..1]).await;
        answers.as_ref().err().map(check_error);
        assert_eq!(
            answers.is_ok(),
            client.token().is_some(),
            "a request was sent without a token"
        );
    });
});
