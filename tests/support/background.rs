//! A runtime that outlives every test's own.

use std::sync::LazyLock;

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build());

/// Runs something there. What tests share, connections above all, must not end with the test that made it.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> super::Result<JoinHandle<T>> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.spawn(future)),
        Err(error) => anyhow::bail!("cannot make a runtime: {error}"),
    }
}
