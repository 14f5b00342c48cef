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
