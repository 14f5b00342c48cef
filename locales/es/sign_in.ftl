# Iniciar sesión con un proveedor.
upstream-button = Iniciar sesión con { $name }
upstream-leaving = Continuar a { $name }
upstream-go = Continuar
upstream-failed = No ha iniciado sesión
upstream-lapsed = Este inicio de sesión se empezó en otro navegador, ya se completó o tardó más de diez minutos.
upstream-denied = { $name } no confirmó que quiera iniciar sesión aquí.
upstream-unreachable = No se puede contactar con { $name } en este momento. Inténtelo de nuevo en un momento.
upstream-unproved = Lo que respondió { $name } no demuestra quién es usted. Si vuelve a ocurrir, avise a un administrador de este sitio.
upstream-not-anew = Para continuar debe demostrar otra vez ante { $name } que es usted, y no confirmó que lo hiciera.
upstream-weak = { $name } le dejó entrar sin la prueba que pide este sitio, como un segundo factor. Inicie sesión allí con ella.
upstream-no-role = { $name } le conoce, pero no tiene ningún rol en este sitio. Pregunte a un administrador de este sitio o a quien gestione sus grupos en { $name }.
upstream-disabled = Su cuenta en este sitio está desactivada. Pregunte a un administrador de este sitio.
upstream-again = Intentarlo de nuevo

# Llaves de acceso.
passkeys = Llaves de acceso
passkeys-hint = Con una llave de acceso inicia sesión con lo que desbloquea su teléfono, ordenador o llave de seguridad, sin contraseña.
passkey-name = Nombre de la nueva llave de acceso
passkey-name-hint = Para reconocerla, como "Mi teléfono"
passkey-name-wrong = Dé a la llave de acceso un nombre de 1 a 64 caracteres
passkey-add = Añadir una llave de acceso
passkey-remove = Quitar esta llave de acceso
passkey-unused = Añadida el { $made }, todavía sin usar
passkey-used = Añadida el { $made }, usada por última vez el { $used }
passkey-use = Iniciar sesión con una llave de acceso
passkey-failed = No ha funcionado. Inténtelo de nuevo o continúe sin llave de acceso.
passkey-wrong = Esta llave de acceso no es de esta cuenta o no se conoce aquí
passkey-lapsed = Ha tardado demasiado o ya se respondió. Inténtelo de nuevo
passkey-cloned = Esta llave de acceso se rechazó porque puede haber una copia de ella. Inicie sesión de otra manera, quítela de su cuenta y avise a un administrador
passkey-taken = Esta llave de acceso ya está registrada
passkey-many = Tiene tantas llaves de acceso como puede tener una cuenta. Quite una para añadir otra.
account-passkey-added = Se añadió la llave de acceso.
account-passkey-removed = Se quitó la llave de acceso.
