//! Waiting for something to become true, with a limit and words for the case that it does not.

use std::time::{Duration, Instant};

/// Asks every 50 ms until the answer is there.
///
/// # Panics
/// When `limit` passes before; `what` then says what was waited for.
pub async fn within<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < limit,
            "{what}: not within {} seconds",
            limit.as_secs_f32()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// [`within`] four minutes: for what takes as long as Blender takes, on a loaded machine.
///
/// # Panics
/// When four minutes pass before.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_mins(4), what, ask).await
}
