//! `slotwright client scim-token`: long-lived tokens of provisioning sources.

use super::client::open;
use super::{BY, Failure, Settings};
use crate::app::scim::token::{self, LONGEST_DAYS, Token, USUAL_DAYS};
use crate::clock::instant_text;
use clap::Subcommand;
use secrecy::ExposeSecret;

/// What to do with such tokens.
#[derive(Debug, Subcommand)]
pub(super) enum ScimTokenCommand {
    /// Make one and print it
    New {
        /// The client_id of the application, which may keep accounts (--may-provision)
        client: String,
        /// Days for which it is good
        #[arg(long, default_value_t = USUAL_DAYS, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_DAYS)))]
        days: u32,
        #[command(flatten)]
        settings: Settings,
    },
    /// Every token that an application ever had, one a line
    List {
        /// The client_id of the application
        client: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Take one back: it ends at once
    Revoke {
        /// Its id, as `scim-token list` prints it
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
}

impl ScimTokenCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::New { client, days, settings } => {
                let app = open(&settings).await?;
                let made = token::issue(&app, &client, days, BY).await;
                let (_, text) = made.map_err(|error| error.description)?;
                println!("{}", text.expose_secret());
            }
            Self::List { client, settings } => {
                let app = open(&settings).await?;
                app.note(app.administration("list provisioning tokens", &client)).await?;
                for token in token::all(&app, &client).await? {
                    println!("{}", line(&token, app.clock.now()));
                }
            }
            Self::Revoke { id, settings } => {
                let app = open(&settings).await?;
                if !token::revoke(&app, &id, BY).await? {
                    return Err(format!("there is no token {id}, or it was taken back already").into());
                }
            }
        }
        Ok(())
    }
}

fn line(token: &Token, now: i64) -> String {
    let state = match token.revoked_us {
        Some(at) => format!("taken back {}", instant_text(at)),
        None if token.expires_us <= now => format!("ended {}", instant_text(token.expires_us)),
        None => format!("until {}", instant_text(token.expires_us)),
    };
    let used = token.last_used_us.map_or_else(|| "never".to_owned(), instant_text);
    format!(
        "{}  {state}  last used {used}  made {} by {}",
        token.id,
        instant_text(token.made_us),
        token.made_by
    )
}
