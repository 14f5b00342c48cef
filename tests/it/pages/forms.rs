//! What protects forms, and what every page carries.

use super::browser::{Browser, PASSWORD, account};
use crate::support::{TestApp, both_engines};

both_engines! {
    async fn a_form_of_another_site_is_refused(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let mut ana = Browser::new(&app);
        ana.sign_in("ana").await;
        let token = ana.get("/account").await.hidden("/sign-out").swap_remove(0).1;
        let mut mallory = Browser::new(&app);
        let others = mallory.get("/sign-in").await.hidden("/sign-in").swap_remove(0).1;
        assert_ne!(token, others);
        for wrong in ["", "x", others.as_str()] {
            ana.post("/sign-out", &[("token", wrong)]).await.is(403);
        }
        // Even with the right token, when the browser says where the form came from.
        for (header, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "null")] {
            ana.headers = vec![(header, value.to_owned())];
            ana.post("/sign-out", &[("token", &token)]).await.is(403);
        }
        ana.headers = vec![];
        assert!(ana.is_signed_in().await);
        ana.headers = vec![("origin", app.root().to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
        ana.post("/sign-out", &[("token", &token)]).await.is(303);
    }

    async fn a_sign_in_cannot_be_forged(app: TestApp) {
        // Signing somebody in as the attacker would let them put their data into the attacker's account.
        account(&app, "mallory", &[], None).await;
        let mut victim = Browser::new(&app);
        victim.get("/sign-in").await.is(200);
        let mut mallory = Browser::new(&app);
        let token = mallory.get("/sign-in").await.hidden("/sign-in").swap_remove(0).1;
        let fields = [("token", token.as_str()), ("username", "mallory"), ("password", PASSWORD)];
        victim.post("/sign-in", &fields).await.is(403);
        assert!(!victim.cookies.contains_key("session"));
    }

    async fn every_page_keeps_to_itself(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        for path in ["/sign-in", "/sign-in/code", "/sign-out", "/consent/none", "/"] {
            let page = browser.get(path).await;
            let policy = page.header("content-security-policy");
            for rule in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
                assert!(policy.contains(rule), "{path}: {policy}");
            }
            assert!(!page.says("<script") && !page.says("style="), "{path}");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
        }
        browser.sign_in("ana").await;
        for path in ["/account", "/account/authenticator", "/apps"] {
            let page = browser.get(path).await.is(200);
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
            assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        }
        let style = browser.get("/assets/style.css").await.is(200);
        assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    }

    async fn what_is_wrong_is_said_at_the_field(app: TestApp) {
        let mut browser = Browser::new(&app);
        let page = browser.try_sign_in("", "").await.is(422);
        assert!(page.says("role=\"alert\""));
        assert!(page.says("<a href=\"#username\">Enter your username</a>"), "{}", page.html);
        assert!(page.says("<a href=\"#password\">Enter your password</a>"), "{}", page.html);
        assert!(page.says("aria-invalid=\"true\""));
        // What was typed comes back as text, whatever it was.
        let page = browser.try_sign_in("\"><script>alert(1)</script>", "x").await.is(422);
        assert!(!page.says("<script"), "{}", page.html);
    }

    async fn pages_speak_the_readers_language(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.headers = vec![("accept-language", "de;q=0.9, es-MX;q=0.8, en;q=0.1".to_owned())];
        let page = browser.get("/sign-in").await.is(200);
        assert!(page.says("<html lang=\"es\">") && page.says("Iniciar sesión"), "{}", page.html);
        browser.sign_in("ana").await;
        let page = browser.fill("/account", "/account/language", &[("language", "en")]).await.is(303);
        let page = browser.get(page.location()).await.is(200);
        assert!(page.says("<html lang=\"en\">") && page.says("The language was changed."), "{}", page.html);
        browser.fill("/account", "/account/language", &[("language", "xx")]).await.is(400);
        browser.fill("/account", "/account/language", &[("language", "")]).await.is(303);
        assert!(browser.get("/account").await.is(200).says("<html lang=\"es\">"));
    }
}
