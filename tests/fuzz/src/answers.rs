//! What Pluvo answers to documents, introspection among them.

use pluvo_operator::pluvo::{
    operation::{
        Access,
        samples::{mutations, queries},
    },
    request::QueryAnswer,
};

use crate::client::{check_error, client, decode, reply, run, token};

/// `STATUS BODY`, as the answer to each of our operations and to introspection.
pub fn answers(input: &[u8]) {
    let Some(reply) = reply(input) else { return };
    decode(&reply.body);
    run(async {
        let client = client(token(), reply);
        let answers = client.query(&queries()).await;
        answers.as_ref().err().map(check_error);
        answers
            .into_iter()
            .flatten()
            .filter_map(Result::err)
            .for_each(|error| check_error(&error));
        // What an answer says about the schema leaves documents that can still be printed.
        client.check_schema(true).await.err().as_ref().map(check_error);
        let mutations: Vec<_> = mutations().iter().map(|mutation| mutation.operation()).collect();
        let slot = client.acquire(Access::Write).await;
        let document = client.document(Access::Write, &mutations);
        client.execute(slot, &document).await.err().as_ref().map(check_error);
    });
}

/// [`answers`] with a bug on purpose: it does not survive a page that has rows and claims that there are none. No answer
/// of the corpus is like that. If this is not found, a fuzzer that finds nothing says nothing.
pub fn seeded(input: &[u8]) {
    let Some(reply) = reply(input) else { return };
    for answer in decode(&reply.body).queries {
        if let QueryAnswer::Users(page) = answer {
            assert!(page.rows.is_empty() || page.count != Some(0), "the bug on purpose");
        }
    }
}
