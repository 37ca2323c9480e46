//! What Pluvo answers to a request for a token.

use pluvo_operator::pluvo::{operation::samples::queries, transport::Reply};

use crate::client::{check_error, client, reply, run};

/// `STATUS BODY`: either it is a token, or nothing is sent.
pub fn tokens(input: &[u8]) {
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
}
