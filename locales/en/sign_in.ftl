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
