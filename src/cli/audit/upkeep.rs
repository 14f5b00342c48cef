//! `slotwright audit purge` and `status`.

use super::super::{BY, Failure};
use crate::app::App;
use crate::app::audit::purge::{Outlook, Step, outlook, step};
use crate::app::audit::{Caller, Sequencer, keys, push};
use crate::clock::{Clock, instant_text};
use crate::config::Config;
use crate::store::audit::{log, sequence};
use std::sync::Arc;
use std::time::Duration;

/// Between looks at what another process does.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the purge event may wait for its place: longer than another process's lease lasts.
const PATIENCE: u32 = 300;

/// Purges what is older than its retention, to the end.
pub(super) async fn purge(dry_run: bool, config: Config) -> Result<(), Failure> {
    let signers = keys::load(&config)?;
    let app = App::start(Arc::new(config), Clock::system()).await?.called_by(Caller::of_work(BY));
    let Outlook { before, events, first } = outlook(&app).await?;
    let most = if events >= Outlook::MOST as u64 { "at least " } else { "" };
    println!("{most}{events} events were recorded before {}.", instant_text(before));
    if let Some(first) = first.filter(|_| dry_run) {
        println!("The first is {first}. Nothing was removed.");
    }
    let done = if dry_run { Ok(0) } else { to_the_end(&app, Sequencer::new(app.clone(), signers)).await };
    app.store.close().await;
    if !dry_run {
        println!("Contents of {} events were removed; their leaves stay.", done?);
    }
    Ok(())
}

/// How many contents were removed.
async fn to_the_end(app: &App, sequencer: Sequencer) -> Result<u64, Failure> {
    let (mut removed, mut waited) = (0, 0);
    loop {
        match step(app).await? {
            Step::Idle => return Ok(removed),
            Step::Named(_) => {}
            Step::Removed(events) => (removed, waited) = (removed + events, 0),
            Step::Waiting if waited == PATIENCE => {
                return Err(
                    "the purge event got no place in the log: is the server that gives places well?".into()
                );
            }
            Step::Waiting => {
                // A server that runs does it, too; only one of us has the lease.
                sequencer.run().await?;
                waited += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Prints how far the log is, and who else was told.
pub(super) async fn status(config: Config) -> Result<(), Failure> {
    let app = App::start(Arc::new(config), Clock::system()).await?;
    let mut tx = app.store.reader().await?;
    let (newest, waiting) = (sequence::latest(&mut tx).await?, log::waiting(&mut tx).await?);
    drop(tx);
    match &newest {
        Some(newest) => {
            println!("checkpoint of {} leaves, signed {}", newest.size, instant_text(newest.at_us));
        }
        None => println!("no checkpoint yet"),
    }
    println!("{waiting} events wait for their place");
    let size = newest.map_or(0, |newest| newest.size);
    for one in push::progress(&app, &push::listeners(&app.config)?).await? {
        let told = match one.told_us {
            Some(at) => {
                format!("{} leaves, {} behind, {}", one.size, (size - one.size).max(0), instant_text(at))
            }
            None => "nothing yet".to_owned(),
        };
        let failing = one.failing_us.map(|at| format!("; failing since {}", instant_text(at)));
        println!("{}: {told}{}", one.name, failing.unwrap_or_default());
    }
    app.store.close().await;
    Ok(())
}
