//! The only I/O of an organization: asks the state what to send, sends it, says what came back.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    plan::ResourceKey,
    pluvo::{
        document::Document,
        error::Error,
        limiter::Slot,
        operation::{Access, Operation},
        request::QueryAnswer,
        response::{EntryError, Response},
    },
    supervise::{self, Current},
};

use super::{
    Shared, audit,
    batch::Batch,
    state::{Inquiry, Next},
};

/// Reads: pages of sweeps, one after the other, and point reads beside them.
pub(super) async fn read(shared: Arc<Shared>) {
    if !introspect(&shared).await {
        return;
    }
    let mut under_way = JoinSet::new();
    while let Some(inquiry) = next(&shared, &shared.reading, |shared, now| {
        shared.state.lock().next_inquiry(now)
    })
    .await
    {
        let item = supervise::begin().await;
        if shared.state.lock().take_reread_credentials()
            && let Err(error) = shared.client.reread_credentials().await
        {
            tracing::warn!(organization = %shared.client.endpoint(), %error, "the credentials cannot be read");
        }
        // A slot becomes free when a request ends, and each of these is an item of its own.
        drop(item);
        let Some(slot) = stoppable(&shared, shared.client.acquire(Access::Read)).await else {
            shared.state.lock().inquiry_failed(&inquiry);
            break;
        };
        under_way.spawn(Current::get().run(inquire(shared.clone(), slot, inquiry)));
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
}

/// Writes: a document is composed when a slot and a token are free, so that it holds whatever is wanted by then.
pub(super) async fn write(shared: Arc<Shared>) {
    let mut under_way = JoinSet::new();
    loop {
        let Some(()) = next(&shared, &shared.writing, ready).await else {
            break;
        };
        let Some(slot) = stoppable(&shared, shared.client.acquire(Access::Write)).await else {
            break;
        };
        let awaited = |resource: &ResourceKey| shared.passes.are_to_come_over(resource);
        let next = shared.state.lock().next_batch(&awaited, Instant::now());
        if let Next::Send(batch) = next {
            under_way.spawn(Current::get().run(mutate(shared.clone(), slot, batch)));
        } else {
            // Everything that is due waits for something under way; its end wakes us.
            drop(slot);
            let Some(()) = stoppable(&shared, shared.writing.notified()).await else {
                break;
            };
        }
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
}

fn ready(shared: &Shared, now: Instant) -> Next<()> {
    // Asked outside of the lock: whoever answers may be about to submit.
    let expects_more = shared.passes.are_to_come();
    shared.state.lock().writes_due(expects_more, now)
}

/// Waits until there is something to send; `None` when the organization is being stopped.
async fn next<T>(shared: &Shared, notify: &Notify, ask: impl Fn(&Shared, Instant) -> Next<T>) -> Option<T> {
    loop {
        let answer = ask(shared, Instant::now());
        shared.wake();
        match answer {
            _ if *shared.stopping.borrow() => return None,
            Next::Send(something) => return Some(something),
            Next::Nothing => stoppable(shared, notify.notified()).await?,
            Next::At(at) => {
                let wait = async {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = notify.notified() => {}
                    }
                };
                stoppable(shared, wait).await?;
            }
        }
    }
}

async fn stoppable<T>(shared: &Shared, wait: impl Future<Output = T>) -> Option<T> {
    let mut stopping = shared.stopping.subscribe();
    tokio::select! {
        result = wait => Some(result),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

/// Asks the server what it supports before anything else is asked. Returns whether to go on.
async fn introspect(shared: &Shared) -> bool {
    let mut once = false;
    loop {
        let item = supervise::begin().await;
        let Some(checked) = stoppable(shared, shared.client.check_schema(once)).await else {
            return false;
        };
        match checked {
            Ok(_) => {
                let mut state = shared.state.lock();
                state.learn(shared.client.unsupported());
                state.succeeded();
                return true;
            }
            Err(error) => {
                tracing::warn!(organization = %shared.client.endpoint(), %error, "Pluvo cannot be reached");
                let open_until = {
                    let mut state = shared.state.lock();
                    state.failed(error, Instant::now());
                    state.breaker.open_until()
                };
                shared.wake();
                drop(item);
                let wait = sleep_until(open_until.unwrap_or_else(Instant::now));
                if stoppable(shared, wait).await.is_none() {
                    return false;
                }
                once = true;
            }
        }
    }
}

/// A document that is repeated if it fails, unless it is to find out whether Pluvo has recovered.
fn document(shared: &Shared, access: Access, operations: &[Operation]) -> Document {
    let mut document = shared.client.document(access, operations);
    document.once = shared.state.lock().breaker.is_half_open();
    document
}

async fn inquire(shared: Arc<Shared>, slot: Slot, inquiry: Inquiry) {
    let _item = supervise::begin().await;
    let operations: Vec<_> = inquiry.queries().map(crate::pluvo::request::Query::operation).collect();
    let document = document(&shared, Access::Read, &operations);
    let sent = Instant::now();
    let result = shared.client.execute(slot, &document).await;
    {
        let mut state = shared.state.lock();
        let learned = state.learn(shared.client.unsupported());
        match result {
            Ok(response) => {
                let answers = decode(&inquiry, response);
                state.inquiry_answered(inquiry, answers, sent, Instant::now());
            }
            Err(Error::Document(_)) if learned => state.inquiry_rejected(&inquiry, Instant::now()),
            Err(error) => failed(&shared, &mut state, &inquiry, error),
        }
    }
    shared.wake();
    shared.reading.notify_one();
    shared.writing.notify_one();
}

fn failed(shared: &Shared, state: &mut super::State, inquiry: &Inquiry, error: Error) {
    tracing::warn!(organization = %shared.client.endpoint(), %error, "Pluvo could not be read");
    state.failed(error, Instant::now());
    state.inquiry_failed(inquiry);
}

fn decode(inquiry: &Inquiry, mut response: Response) -> Vec<Result<QueryAnswer, EntryError>> {
    inquiry
        .queries()
        .enumerate()
        .map(|(index, query)| Ok(query.decode(response.take(index)?)?))
        .collect()
}

async fn mutate(shared: Arc<Shared>, slot: Slot, batch: Batch) {
    let _item = supervise::begin().await;
    let operations: Vec<_> = batch.entries.iter().map(|entry| entry.mutation.operation()).collect();
    let document = document(&shared, Access::Write, &operations);
    let sent = Instant::now();
    let result = shared.client.execute(slot, &document).await;
    if let Err(error) = &result {
        tracing::warn!(organization = %shared.client.endpoint(), operations = operations.len(), %error, "a document of mutations failed");
    }
    let lines = {
        let mut state = shared.state.lock();
        state.learn(shared.client.unsupported());
        let fates = state.batch_finished(&batch, result, sent, Instant::now());
        let organization = shared.client.endpoint().to_string();
        audit::lines(&shared.name, &organization, &batch, &fates, &state)
    };
    audit::write(&lines);
    shared.wake();
    shared.reading.notify_one();
    shared.writing.notify_one();
}
