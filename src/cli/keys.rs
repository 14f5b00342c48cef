//! `slotwright key`: the keys that sign tokens.

use super::{Failure, Settings};
use crate::app::oauth::keys;
use crate::clock::{Clock, instant_text};
use clap::Subcommand;

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
    pub(super) fn run(self) -> Result<(), Failure> {
        let now = Clock::system().now();
        match self {
            Self::List(settings) => {
                let dir = settings.load()?.auth.keys;
                for key in keys::list(&dir, now)? {
                    let from = instant_text(key.activates_us);
                    let state = match key.signs {
                        true => "signs",
                        false if key.activates_us > now => "published, does not sign yet",
                        false => "published, does not sign any more",
                    };
                    println!("{}  from {from}  {state}", key.kid);
                }
            }
            Self::New { now: at_once, settings } => {
                let auth = settings.load()?.auth;
                let made = keys::make_next(&auth, at_once, now, super::BY)?;
                println!("{} signs from {} on.", made.path.display(), instant_text(made.activates_us));
            }
            Self::Retire { kid, settings } => {
                let path = keys::retire(&settings.load()?.auth.keys, &kid, now, super::BY)?;
                println!("{}", path.display());
            }
        }
        Ok(())
    }
}
