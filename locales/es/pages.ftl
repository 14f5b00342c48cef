# Lo que dicen todas las páginas.
skip = Ir al contenido
nav = Su cuenta
nav-apps = Aplicaciones con acceso
nav-account = Cuenta
sign-out = Cerrar sesión
to-account = Ir a su cuenta
continue = Continuar
save = Guardar
problems = Hay un problema
problem-title = Problema

# Por qué no se puede mostrar una página.
error-forged = Este formulario estuvo abierto demasiado tiempo o no procede de este sitio. Vuelva atrás, cargue la página de nuevo e inténtelo otra vez.
error-malformed = No se ha podido leer lo enviado.
error-gone = Esta página ya no existe. Empiece de nuevo desde la aplicación.
error-forbidden = No tiene permiso para ver esta página.
error-broken = Algo ha fallado por nuestra parte. Inténtelo de nuevo.
error-unavailable = El servicio no está disponible ahora mismo. Inténtelo de nuevo en un momento.
error-wait-seconds = Ha habido demasiados intentos. Inténtelo de nuevo dentro de { $count ->
    [one] un segundo
   *[other] { $count } segundos
}.
error-wait-minutes = Ha habido demasiados intentos. Inténtelo de nuevo dentro de { $count ->
    [one] un minuto
   *[other] { $count } minutos
}.

# Iniciar y cerrar sesión.
sign-in = Iniciar sesión
sign-in-button = Iniciar sesión
sign-in-again = Para continuar, demuestre otra vez que es usted.
sign-in-wrong = El nombre de usuario o la contraseña no son correctos
username = Nombre de usuario
username-missing = Escriba su nombre de usuario
password = Contraseña
password-missing = Escriba su contraseña
code-title = Escriba su código
code = Código
code-hint = Las seis cifras que muestra su aplicación de autenticación, o uno de sus códigos de recuperación
code-wrong = Este código no es correcto o ya se ha usado
sign-out-question = ¿Quiere cerrar la sesión?
sign-out-hint = Las aplicaciones que solo pueden actuar mientras usted tiene la sesión abierta perderán el acceso.
signed-out = Ha cerrado la sesión

# Su cuenta.
account = Su cuenta
account-username = Inicia sesión como { $username }.
account-password-changed = Se ha cambiado su contraseña y se ha cerrado su sesión en todos los demás lugares.
account-language-changed = Se ha cambiado el idioma.
account-authenticator-removed = Ya no se pide la aplicación de autenticación.
password-change = Cambiar la contraseña
old-password = La contraseña que tiene ahora
old-password-wrong = Esta no es la contraseña que tiene ahora
new-password = La contraseña nueva
new-password-hint = Al menos 12 caracteres. Van bien varias palabras sin relación entre sí.
password-short = La contraseña nueva necesita al menos 12 caracteres
password-long = La contraseña nueva es demasiado larga
password-username = La contraseña nueva no puede contener su nombre de usuario
password-common = La contraseña nueva es demasiado fácil de adivinar; use varias palabras sin relación entre sí
authenticator = Aplicación de autenticación
authenticator-on = Al iniciar sesión se pide un código de su aplicación de autenticación.
authenticator-off = Con una aplicación de autenticación, nadie puede entrar solo con su contraseña.
authenticator-set-up = Configurar una aplicación de autenticación
authenticator-how = Abra el enlace en el dispositivo que tiene su aplicación de autenticación, o escriba el secreto en ella. Después escriba el código que muestra.
authenticator-secret = Secreto
authenticator-uri = Enlace para la aplicación
authenticator-code = Las seis cifras que muestra la aplicación
authenticator-turn-on = Activar
authenticator-remove = Dejar de usar la aplicación de autenticación
codes-left = { $count ->
    [0] No le queda ningún código de recuperación.
    [one] Le queda un código de recuperación.
   *[other] Le quedan { $count } códigos de recuperación.
}
codes-renew = Crear nuevos códigos de recuperación
codes-title = Sus códigos de recuperación
codes-hint = Cada uno de estos códigos le permite iniciar sesión una vez sin la aplicación de autenticación. Guárdelos en un lugar seguro: no se volverán a mostrar.
codes-kept = Ya los he guardado
language = Idioma
language-of-pages = Idioma de estas páginas
language-of-browser = El que pida mi navegador
language-name = Español

# Rechazos que no necesitan visita.
too-many = Demasiadas peticiones
too-many-wait = Espere { $seconds } s y vuelva a intentarlo.
oauth-problem = No se puede atender esta petición
oauth-problem-why = La aplicación que le envió aquí pidió acceso de una forma que este servidor no admite, así que no se le dio nada. Vuelva atrás e informe a quienes la hicieron:
