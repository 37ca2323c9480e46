//! What Pluvo answers to documents, introspection among them.

#![no_main]

use fuzz::{check_error, client, decode, reply, run, token};
use libfuzzer_sys::fuzz_target;
use pluvo_operator::pluvo::operation::{
    Access,
    samples::{mutations, queries},
};

fuzz_target!(|input: &[u8]| {
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
});
