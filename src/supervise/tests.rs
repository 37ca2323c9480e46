use std::future::pending;

use super::*;

fn running() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}

#[tokio::test]
async fn a_task_that_ends_unasked_is_a_failure_and_is_named() {
    let supervisor = Supervisor::default();
    let (_stop, stopping) = running();
    let ends = supervisor.spawn("one", stopping.clone(), async {});
    supervisor.spawn("other", stopping, pending());
    let failure = supervisor.failed().await;
    assert_eq!(failure, TaskEnded("one".into()));
    assert_eq!(supervisor.stuck(), [failure.to_string()]);
    ends.await.unwrap();
}

#[tokio::test]
async fn a_task_that_was_asked_to_may_end() {
    let supervisor = Supervisor::default();
    let (stop, mut stopping) = running();
    let task = supervisor.spawn("one", stopping.clone(), async move {
        stopping.wait_for(|stop| *stop).await.unwrap();
    });
    stop.send_replace(true);
    task.await.unwrap();
    assert_eq!(supervisor.stuck(), Vec::<String>::new());
    assert!(supervisor.0.tasks.lock().is_empty(), "it is forgotten");
    assert!(supervisor.0.failed.borrow().is_none());
}

#[tokio::test(start_paused = true)]
async fn busy_for_too_long_with_one_item_is_stuck_and_idle_is_not() {
    let supervisor = Supervisor::new(Duration::from_mins(1));
    let (_stop, stopping) = running();
    supervisor.spawn("idle", stopping.clone(), pending());
    supervisor.spawn("diligent", stopping.clone(), async {
        loop {
            let _item = begin().await;
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
    });
    supervisor.spawn("stuck", stopping, async {
        // The item is one of the task's, though another one does it.
        let part = Current::get().run(async {
            let _item = begin().await;
            pending::<()>().await;
        });
        tokio::spawn(part).await.unwrap();
    });
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(supervisor.stuck(), Vec::<String>::new());
    tokio::time::sleep(Duration::from_secs(100)).await;
    let stuck = supervisor.stuck();
    assert_eq!(stuck.len(), 1, "{stuck:?}");
    assert!(stuck[0].contains("`stuck`"), "{stuck:?}");
}

#[tokio::test]
async fn whatever_belongs_to_no_task_is_no_item() {
    let item = begin().await;
    assert!(item.0.is_none());
}
