//! Clients that publish their keys at a URL (SMART 296, 326, 338–342; g10 11.10; B2). What is fetched at all, and from
//! where, is tested with the fetcher.

use super::backend::{ask, rs384, sound};
use super::flow::{backend, refused, registered};
use super::signer::Signer;
use crate::support::{Database, Engine, Given, TestApp, both_engines};
use serde_json::json;
use slotwright::auth::client::ClientKeys;
use slotwright::clock::Clock;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a client publishes: its keys, how long they may be kept, and how often they were fetched.
struct Published {
    keys: String,
    max_age: u32,
    fetched: usize,
}

/// A server over a client that publishes its keys.
struct Hosted {
    app: TestApp,
    url: String,
    published: Arc<Mutex<Published>>,
}

impl Hosted {
    fn publish(&self, kid: &str, signer: &Signer) {
        self.published.lock().unwrap().keys = json!({"keys": [signer.jwk(kid)]}).to_string();
    }

    fn fetched(&self) -> usize {
        self.published.lock().unwrap().fetched
    }
}

impl Given for Hosted {
    async fn on(engine: Engine) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let published = Arc::new(Mutex::new(Published { keys: "{}".to_owned(), max_age: 300, fetched: 0 }));
        let kept = Arc::clone(&published);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = socket.read(&mut head).await;
                let answer = {
                    let mut published = kept.lock().unwrap();
                    published.fetched += 1;
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: max-age={}\r\n\
                         content-length: {}\r\nconnection: close\r\n\r\n{}",
                        published.max_age,
                        published.keys.len(),
                        published.keys
                    )
                };
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        let now: jiff::Timestamp = "2031-03-01T08:00:00Z".parse().unwrap();
        let clock = Clock::fixed(now.as_microsecond());
        let settings = [("SLOTWRIGHT_OUTBOUND__ALLOW", host.as_str())];
        let app = TestApp::start_with(Database::create(engine).await, clock, &settings).await;
        let url = format!("http://{host}/jwks");
        registered(&app, backend("b", "system/Slot.rs", ClientKeys::Url(url.clone()))).await;
        Self { app, url, published }
    }
}

/// An assertion, by the server's own clock.
fn assertion(hosted: &Hosted, signer: &Signer, kid: &str, jku: Option<&str>) -> String {
    let mut claims = sound(&hosted.app, "b");
    claims["exp"] = (hosted.app.library().clock.now() / 1_000_000 + 240).into();
    let mut header = rs384(kid);
    if let Some(jku) = jku {
        header["jku"] = jku.into();
    }
    signer.sign(&header, &claims)
}

both_engines! {
    async fn b2_published_keys_are_kept_as_long_as_the_client_says(hosted: Hosted) {
        let signer = Signer::rsa(0);
        hosted.publish("k1", &signer);
        for _ in 0..3 {
            let _ = ask(&hosted.app, &assertion(&hosted, &signer, "k1", None), "system/Slot.rs").await.is(200);
        }
        assert_eq!(hosted.fetched(), 1);
        hosted.app.advance(Duration::from_secs(301));
        // Withdrawn meanwhile: the old key counts no longer.
        hosted.publish("k2", &Signer::rsa(1));
        refused(&ask(&hosted.app, &assertion(&hosted, &signer, "k1", None), "system/Slot.rs").await, "invalid_client");
        assert!(hosted.fetched() > 1);
    }

    async fn b2_a_new_key_is_fetched_when_it_is_first_used(hosted: Hosted) {
        let (old, new) = (Signer::rsa(0), Signer::rsa(1));
        hosted.publish("k1", &old);
        let _ = ask(&hosted.app, &assertion(&hosted, &old, "k1", None), "system/Slot.rs").await.is(200);
        hosted.publish("k2", &new);
        let _ = ask(&hosted.app, &assertion(&hosted, &new, "k2", None), "system/Slot.rs").await.is(200);
        // Made-up key ids do not make us fetch again and again.
        let before = hosted.fetched();
        for n in 0..5 {
            let made_up = assertion(&hosted, &new, &format!("made-up-{n}"), None);
            refused(&ask(&hosted.app, &made_up, "system/Slot.rs").await, "invalid_client");
        }
        assert!(hosted.fetched() <= before + 1, "{} and {before}", hosted.fetched());
    }

    async fn b1_jku_is_the_registered_url_or_nothing(hosted: Hosted) {
        let signer = Signer::rsa(0);
        hosted.publish("k1", &signer);
        let own = assertion(&hosted, &signer, "k1", Some(&hosted.url));
        let _ = ask(&hosted.app, &own, "system/Slot.rs").await.is(200);
        let more = format!("{}/more", hosted.url);
        for jku in [&*more, "http://169.254.169.254/jwks", "https://evil.example/jwks", ""] {
            let other = assertion(&hosted, &signer, "k1", Some(jku));
            refused(&ask(&hosted.app, &other, "system/Slot.rs").await, "invalid_client");
        }
    }
}
