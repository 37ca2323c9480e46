//! Clusters that tests use one after another: starting one costs more than many a test does.

use std::{ops::Deref, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::timeout;

use super::{Cluster, Result};

/// Those that nobody uses at the moment.
static IDLE: Mutex<Vec<Arc<Cluster>>> = Mutex::new(Vec::new());

/// How long a cluster may take to forget the test before: one that hangs, because that test has stopped a part of it,
/// is not used again.
const HEALTHY: Duration = Duration::from_secs(20);

/// A cluster that no other test uses meanwhile. It holds no object of ours, but whatever else tests before have left:
/// namespaces, Events, the release of the chart.
pub struct Lease(Arc<Cluster>);

impl Lease {
    /// Takes an idle one, or starts one.
    pub async fn take() -> Result<Self> {
        loop {
            let Some(cluster) = IDLE.lock().pop() else {
                return Cluster::start().await.map(Self::from);
            };
            if let Ok(Ok(())) = timeout(HEALTHY, cluster.forget()).await {
                return Ok(Self(cluster));
            }
        }
    }
}

impl From<Cluster> for Lease {
    fn from(cluster: Cluster) -> Self {
        Self(cluster.into())
    }
}

impl Deref for Lease {
    type Target = Arc<Cluster>;

    fn deref(&self) -> &Arc<Cluster> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.may_be_reused() {
            IDLE.lock().push(self.0.clone());
        }
    }
}
