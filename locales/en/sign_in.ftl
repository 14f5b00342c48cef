# Signing in at a provider.
upstream-button = Sign in with { $name }
upstream-leaving = On to { $name }
upstream-go = Continue
upstream-failed = You are not signed in
upstream-lapsed = This sign-in was begun in another browser, was completed already, or took longer than ten minutes.
upstream-denied = { $name } did not confirm that you want to sign in here.
upstream-unreachable = { $name } can't be reached just now. Please try again in a moment.
upstream-unproved = What { $name } answered does not prove who you are. If it happens again, tell an administrator of this site.
upstream-not-anew = To go on you have to show { $name } once more that it is you, and it did not confirm that you did.
upstream-weak = { $name } let you in without the proof that this site asks for, such as a second factor. Sign in there with it.
upstream-no-role = { $name } knows you, but you have no role at this site. Ask an administrator of this site, or whoever looks after your groups at { $name }.
upstream-disabled = Your account at this site was taken out of use. Ask an administrator of this site.
upstream-again = Try again

# Passkeys.
passkeys = Passkeys
passkeys-hint = With a passkey you sign in by what unlocks your phone, computer or security key, without a password.
passkey-name = Name of the new passkey
passkey-name-hint = By which you know it again, such as "My phone"
passkey-name-wrong = Give the passkey a name of 1 to 64 characters
passkey-add = Add a passkey
passkey-remove = Remove this passkey
passkey-unused = Added on { $made }, not used yet
passkey-used = Added on { $made }, last used on { $used }
passkey-use = Sign in with a passkey
passkey-failed = That did not work. Try again, or go on without a passkey.
passkey-wrong = This passkey is not one of this account, or is not known here
passkey-lapsed = It took too long, or was answered already. Try again
passkey-cloned = This passkey was refused because there may be a copy of it. Sign in in another way, remove it from your account, and tell an administrator
passkey-taken = This passkey is registered already
passkey-many = You have as many passkeys as an account can have. Remove one to add another.
account-passkey-added = The passkey was added.
account-passkey-removed = The passkey was removed.
