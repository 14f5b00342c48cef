//! `slotwright key`: the keys that sign tokens.

use super::{BY, Failure, Settings};
use crate::app::App;
use crate::app::audit::Caller;
use crate::app::oauth::keys;
use crate::clock::{Clock, instant_text};
use clap::Subcommand;
use std::sync::Arc;

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Every key that is published, and which one signs
    List(Settings),
    /// Make a key: published now, signing once everybody has fetched it; the first one signs at once
    New {
        /// Sign at once, although others may not know the key yet
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Take a key out of use; tokens that it signed are no longer taken
    Retire {
        /// Its id, as `key list` prints it
        kid: String,
        #[command(flatten)]
        settings: Settings,
    },
}

impl KeyCommand {
    fn settings(&self) -> &Settings {
        match self {
            Self::List(settings) | Self::New { settings, .. } | Self::Retire { settings, .. } => settings,
        }
    }

    /// Carries it out, and puts it on the record: without a database nothing is done.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let app = App::start(Arc::new(self.settings().load()?), Clock::system()).await?;
        let app = app.called_by(Caller::of_work(BY));
        let done = self.carry_out(&app).await;
        app.store.close().await;
        done
    }

    async fn carry_out(self, app: &App) -> Result<(), Failure> {
        let (auth, now) = (&app.config.auth, app.clock.now());
        match self {
            Self::List(_) => {
                app.note(app.administration("list the signing keys", "")).await?;
                for key in keys::list(&auth.keys, now)? {
                    let from = instant_text(key.activates_us);
                    let state = match key.signs {
                        true => "signs",
                        false if key.activates_us > now => "published, does not sign yet",
                        false => "published, does not sign any more",
                    };
                    println!("{}  from {from}  {state}", key.kid);
                }
            }
            Self::New { now: at_once, .. } => {
                let made = keys::make_next(auth, at_once, now, BY)?;
                app.note(app.administration("make a signing key", &made.kid)).await?;
                println!("{} signs from {} on.", made.path.display(), instant_text(made.activates_us));
            }
            Self::Retire { kid, .. } => {
                let path = keys::retire(&auth.keys, &kid, now, BY)?;
                app.note(app.administration("retire a signing key", &kid)).await?;
                println!("{}", path.display());
            }
        }
        Ok(())
    }
}
