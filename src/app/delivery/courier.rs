//! Finds what is due, takes it, and has it carried out: many subscriptions at a time, of one host only so many, and
//! of those that failed last time no more than half of all, so that the dead don't take the place of the living.

use super::hosts::{Hosts, Pass};
use super::turn::{carry_out, lease};
use crate::app::App;
use crate::store::delivery::{self as table, Claimed, Wanted};
use crate::store::{Intent, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked for what became due by time, or by another process.
const EVERY: Duration = Duration::from_millis(100);

/// Delivers for all subscriptions.
pub struct Courier {
    app: App,
    /// Names this process in the rows that it has taken.
    holder: String,
    hosts: Hosts,
    /// What is on its way; true: it failed the last time.
    turns: JoinSet<bool>,
    failing: usize,
}

impl Courier {
    /// One that has taken nothing yet.
    pub fn new(app: App) -> Self {
        let hosts = Hosts::new(&app.config.subscriptions);
        let holder = app.clock.new_id();
        Self { app, holder, hosts, turns: JoinSet::new(), failing: 0 }
    }

    /// Delivers until the task is dropped.
    pub async fn run(mut self) {
        let mut waiter = self.app.deliveries.listen();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = waiter.changed() => {}
                _ = ticks.tick() => {}
                Some(ended) = self.turns.join_next() => self.ended(ended.unwrap_or(false)),
            }
            while let Some(ended) = self.turns.try_join_next() {
                self.ended(ended.unwrap_or(false));
            }
            if let Err(error) = self.begin().await {
                tracing::warn!(%error, "it could not be looked for notifications that are due; trying again");
                tokio::time::sleep(EVERY).await;
            }
        }
    }

    fn ended(&mut self, failing: bool) {
        self.failing -= usize::from(failing && self.failing > 0);
    }

    /// Takes what is due and begins with it.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let settings = &self.app.config.subscriptions;
        let most = settings.concurrency;
        let room = most.saturating_sub(self.turns.len());
        self.take(false, room).await?;
        let room = most.saturating_sub(self.turns.len()).min((most / 2).saturating_sub(self.failing));
        self.take(true, room).await
    }

    async fn take(&mut self, failing: bool, room: usize) -> Result<(), StoreError> {
        if room == 0 {
            return Ok(());
        }
        let now = self.app.clock.now();
        let wanted = Wanted {
            now,
            without: self.hosts.full(now),
            of_host: i64::try_from(self.app.config.subscriptions.host_concurrency).unwrap_or(i64::MAX),
            limit: i64::try_from(room).unwrap_or(i64::MAX),
            failing,
        };
        let due = table::due(&mut self.app.store.reader().await?, &wanted).await?;
        let mut passes: HashMap<String, Pass> = HashMap::new();
        for (id, host, is_handshake) in due {
            // The first handshake of a subscription tells its owner at once that the host is in trouble.
            if is_handshake || self.hosts.room(&host, now) > 0 {
                passes.insert(id, self.hosts.enter(&host));
            }
        }
        if passes.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = passes.keys().cloned().collect();
        for claimed in self.claim(ids).await? {
            if let Some(pass) = passes.remove(&claimed.id) {
                let app = self.app.clone();
                self.failing += usize::from(failing);
                self.turns.spawn(async move {
                    carry_out(app, claimed, pass).await;
                    failing
                });
            }
        }
        Ok(())
    }

    async fn claim(&self, ids: Vec<String>) -> Result<Vec<Claimed>, StoreError> {
        let (shared, app) = (Arc::new((ids, self.holder.clone())), self.app.clone());
        let taken = self.app.store.write(Intent::Upsert, move |tx| {
            let (shared, app) = (Arc::clone(&shared), app.clone());
            Box::pin(async move {
                let (ids, holder) = shared.as_ref();
                let now = app.clock.now();
                table::claim(tx, ids, holder, now, lease(&app, now)).await
            })
        });
        taken.await
    }
}
