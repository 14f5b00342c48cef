# What every page says.
skip = Skip to the content
nav = Your account
nav-apps = Apps with access
nav-account = Account
sign-out = Sign out
to-account = To your account
continue = Continue
save = Save
problems = There is a problem
problem-title = Problem

# Why a page can't be shown.
error-forged = This form was open for too long, or did not come from this site. Go back, load the page again and try once more.
error-malformed = What was sent could not be read.
error-gone = This page is not there any more. Please start again from the app.
error-forbidden = You are not allowed to see this page.
error-broken = Something went wrong on our side. Please try again.
error-unavailable = The service can't be reached just now. Please try again in a moment.
error-wait-seconds = There were too many attempts. Try again in { $count ->
    [one] one second
   *[other] { $count } seconds
}.
error-wait-minutes = There were too many attempts. Try again in { $count ->
    [one] one minute
   *[other] { $count } minutes
}.

# Signing in and out.
sign-in = Sign in
sign-in-button = Sign in
sign-in-again = To go on, please show once more that it is you.
sign-in-wrong = The username or the password is not right
username = Username
username-missing = Enter your username
password = Password
password-missing = Enter your password
code-title = Enter your code
code = Code
code-hint = The six digits that your authenticator app shows, or one of your recovery codes
code-wrong = This code is not right, or was used already
sign-out-question = Do you want to sign out?
sign-out-hint = Apps that may act only while you are signed in lose their access.
signed-out = You are signed out

# Your account.
account = Your account
account-username = You sign in as { $username }.
account-password-changed = Your password was changed, and you were signed out everywhere else.
account-language-changed = The language was changed.
account-authenticator-removed = The authenticator app is not asked for any more.
password-change = Change your password
old-password = The password you have now
old-password-wrong = This is not the password you have now
new-password = The new password
new-password-hint = At least 12 characters. Several words that don't belong together are good.
password-short = The new password needs at least 12 characters
password-long = The new password is too long
password-username = The new password must not contain your username
password-common = The new password is too easy to guess; use several words that don't belong together
authenticator = Authenticator app
authenticator-on = A code from your authenticator app is asked for when you sign in.
authenticator-off = With an authenticator app nobody can sign in with your password alone.
authenticator-set-up = Set up an authenticator app
authenticator-how = Open the link on the device that has your authenticator app, or type the secret into the app. Then enter the code that the app shows.
authenticator-secret = Secret
authenticator-uri = Link for the app
authenticator-code = The six digits that the app shows
authenticator-turn-on = Turn on
authenticator-remove = Stop using the authenticator app
codes-left = { $count ->
    [0] No recovery code is left.
    [one] One recovery code is left.
   *[other] { $count } recovery codes are left.
}
codes-renew = Make new recovery codes
codes-title = Your recovery codes
codes-hint = Each of these codes lets you sign in once without the authenticator app. Keep them in a safe place: they are not shown again.
codes-kept = I have kept them
language = Language
language-of-pages = Language of these pages
language-of-browser = As my browser says
language-name = English

# Refusals that need no visit.
too-many = Too many requests
too-many-wait = Please wait { $seconds } s, then try again.
oauth-problem = This request can’t be answered
oauth-problem-why = The application that sent you here asked for access in a way that this server does not take, so nothing was given to it. Please go back and tell its makers:
