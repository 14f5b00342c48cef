# El registro de auditoría para responsables de cumplimiento.
nav-console = Auditoría
console-nav = Auditoría
console-title = Registro de auditoría
console-filter = Filtro
console-any = Cualquiera
console-from = Desde
console-until = Hasta
console-time-hint = Un día como 2031-03-01 o una hora como 2031-03-01T08:00; en UTC
console-time-wrong = Indique un día como 2031-03-01 o una hora como 2031-03-01T08:00
console-outcome-wrong = Elija un resultado de la lista
console-user = Persona o aplicación
console-user-hint = Un nombre de usuario, el id de una cuenta o de una aplicación, o una referencia como Practitioner/123
console-patient = Paciente
console-patient-wrong = Indique el id de un paciente
console-type = Tipo
console-subtype = Qué ocurrió
console-action = Acción
console-outcome = Resultado
console-address = Dirección de red
console-request = Id de la petición
console-show = Mostrar
console-reset = Quitar el filtro
console-none = No se encontraron eventos.
console-events = Eventos
console-shown = { $count ->
    [one] Un evento
   *[other] { $count } eventos
}, primero los más recientes
console-short = Solo se ha mirado una parte del registro: puede haber eventos más antiguos.
console-pages = Páginas
console-newest = Más recientes
console-older = Más antiguos
console-at = Registrado
console-what = Qué
console-who = Quién
console-through = mediante
console-person = { $name } ({ $username })
console-unknown = Desconocido
console-purged-short = Contenido eliminado

console-download = Descargar con pruebas
console-download-period = Todos los eventos del periodo elegido, con su prueba; los demás filtros no cuentan.
console-download-patient = Todos los eventos del periodo elegido sobre el paciente { $patient }, con su prueba; los demás filtros no cuentan.
console-download-check = Desempaquételo y compruébelo con «slotwright audit verify» o verify_audit.py.
console-download-button = Descargar
console-checkpoint = Último punto de control
console-checkpoint-hint = Guárdelo en otro lugar: muestra cualquier cambio posterior en los eventos que cubre.
console-checkpoint-keep = Descargar el punto de control
console-size = Eventos cubiertos
console-signed = Firmado
console-root = Raíz del árbol
console-note-text = La nota firmada

console-event = Evento
console-observer = Observado por
console-purpose = Finalidad
console-agents = Quién participó
console-role = Función
console-token = Token
console-entities = De qué trató
console-asked = Se pidió
console-json = El evento como JSON de FHIR
console-purged = El contenido de este evento se eliminó pasado el plazo durante el que debía conservarse. Su lugar en el registro permanece y se prueba abajo.
console-purges = Mostrar las eliminaciones
console-missing = Falta el contenido de este evento, aunque nada permite su eliminación. Verifique el registro.
console-proof = Prueba
console-proof-hint = La prueba lleva de este evento al último punto de control del registro.
console-proof-file = Descargar la prueba
console-proof-server = Lo que encontró este servidor
console-proof-browser = Lo que encontró su navegador
console-proof-no-script = Su navegador no ejecuta scripts aquí. Arriba está lo que encontró el servidor; para comprobarlo sin él, descargue los eventos con sus pruebas.
console-proof-no-crypto = Su navegador no puede comprobarlo en esta conexión.
console-proof-valid = La prueba es válida.
console-proof-invalid = La prueba no es válida.
console-proof-content-good = El contenido es el que se registró.
console-proof-content-bad = El contenido no es el que se registró.
console-proof-content-none = El contenido ya no está.
console-proof-place-good = El evento está en su lugar del árbol del punto de control.
console-proof-place-bad = El evento no está en su lugar del árbol del punto de control.
console-proof-signature-good = El punto de control está firmado por una clave del registro.
console-proof-signature-bad = El punto de control no está firmado por una clave del registro.
console-proof-signature-none = No se comprobó la firma: este servidor no tiene a mano ninguna clave.
console-proof-signature-unknown = No se comprobó la firma: a su navegador o a este servidor le falta lo necesario.
console-tree = Lugar en el árbol
console-seq = Lugar
console-leaf = Hoja
console-path = Camino de la hoja a la raíz

console-review = Revisión
console-reviews = Revisiones
console-review-period = Marcar un periodo como revisado
console-marks = Marcas
console-no-marks = Todavía no hay marcas.
console-mark = Marcar como revisado
console-marked = Se guardó la marca.
console-mark-event = Un evento
console-mark-finding = Un hallazgo
console-mark-period = { $from } a { $until }
console-note = Nota
console-note-hint = Qué ha mirado y qué ha encontrado; hasta 1000 caracteres
console-note-missing = Diga qué ha mirado y qué ha encontrado
console-closed = Este hallazgo ya se revisó
console-own = Nadie revisa lo que hizo uno mismo
console-period-wrong = Un periodo debe empezar antes de terminar

console-reports = Informes permanentes
console-reports-lead = Lo que los informes encontraron en el registro, primero lo más reciente. Un hallazgo crece hasta que alguien lo revisa.
console-report = Informe
console-state = Estado
console-state-open = Por revisar
console-state-reviewed = Revisado
console-no-findings = No hay nada así.
console-count = Cuánto
console-when = Cuándo
console-csv = Descargar como CSV
console-as-json = Descargar como JSON
console-finding-of = { $report }: { $who }, { $time }
console-finding-events = Mostrar sus eventos
console-report-break-glass = Acceso de emergencia
console-report-same-surname = Mismo apellido
console-report-own-record = Historia propia
console-report-bulk-reads = Muchos pacientes
console-report-after-hours = Fuera de horario
console-report-denials = Muchas denegaciones
console-meaning-break-glass = Alguien declaró una emergencia y accedió con ella a la historia de un paciente.
console-meaning-same-surname = Alguien del personal accedió a la historia de un paciente con el mismo apellido.
console-meaning-own-record = Alguien del personal accedió a su propia historia.
console-meaning-bulk-reads = Una persona vio datos de muchos pacientes en una hora.
console-meaning-after-hours = Alguien del personal accedió a historias fuera del horario.
console-meaning-denials = A una persona, aplicación o dirección se le denegó el acceso una y otra vez en poco tiempo.
console-count-break-glass = { $count ->
    [one] un acceso
   *[other] { $count } accesos
}
console-count-same-surname = { $count ->
    [one] un acceso
   *[other] { $count } accesos
}
console-count-own-record = { $count ->
    [one] un acceso
   *[other] { $count } accesos
}
console-count-bulk-reads = { $count ->
    [one] un paciente
   *[other] { $count } pacientes
}
console-count-after-hours = { $count ->
    [one] un acceso
   *[other] { $count } accesos
}
console-count-denials = { $count ->
    [one] una denegación
   *[other] { $count } denegaciones
}

console-disclosures = Relación de comunicaciones
console-years-hint = En blanco: los últimos seis años hasta ahora. Un día o una hora, en UTC
console-account-of = Comunicaciones de los datos del paciente { $patient }
console-account-made = Hecha
console-account-rule = Figuran las comunicaciones notificadas y lo que leyeron aplicaciones de terceros y personas de otras organizaciones. No figuran tratamiento, pago ni funcionamiento, ni lo que leyó el paciente.
console-account-purged = { $count ->
    [one] Un evento ya no se puede
   *[other] { $count } eventos ya no se pueden
} valorar: su contenido se eliminó.
console-account-cut = Hay demasiados eventos; los más antiguos no se miraron. La relación empieza en
console-no-disclosures = No consta ninguna comunicación.
console-recipient = Destinatario
console-recipient-name = Nombre
console-recipient-address = Dirección
console-recipient-unknown = Desconocido (exportado a mano)
console-not-known = Desconocida
console-not-said = No consta
console-disclosed = Qué
console-disclosed-for = Para qué
console-times = { $count ->
    [one] una vez
   *[other] { $count } veces, hasta
}
console-told-by = Notificado por { $observer }
console-print = Imprima esta página con su navegador.
console-recipients = Destinatarios
console-recipients-lead = Diga quién está detrás de una aplicación que actúa por sí misma, o de una organización cuyas personas acceden aquí. Lo que reciben es una comunicación que debe figurar, salvo que diga que no.
console-recipient-missing = Elija un destinatario de la lista
console-recipient-kept = Se guardó.
console-say = Decir quién lo recibe
console-say-of = Decir quién lo recibe: { $recipient }
console-counts = ¿Es una comunicación que debe figurar?
console-counts-yes = Sí
console-counts-no = No: es nuestra, o es para tratamiento, pago o funcionamiento
console-yes = Sí
console-no = No

console-type-rest = Petición FHIR
console-type-110100 = Servidor
console-type-110101 = Uso del registro de auditoría
console-type-110106 = Exportación
console-type-110113 = Seguridad
console-type-110114 = Inicio de sesión
console-type-transmit = Transmisión
console-subtype-read = Leído
console-subtype-vread = Versión leída
console-subtype-search = Buscado
console-subtype-history = Historial leído
console-subtype-create = Creado
console-subtype-update = Cambiado
console-subtype-patch = Cambiado en parte
console-subtype-delete = Borrado
console-subtype-batch = Varias peticiones
console-subtype-transaction = Varias peticiones juntas
console-subtype-operation = Operación
console-subtype-capabilities = Capacidades leídas
console-subtype-110122 = Inicio de sesión
console-subtype-110123 = Cierre de sesión
console-subtype-sign-in-begun = Inicio de sesión empezado
console-subtype-access-requested = Acceso pedido
console-subtype-authorized = Acceso permitido
console-subtype-ITI-71 = Token emitido
console-subtype-ITI-102 = Token examinado
console-subtype-token-revoked = Token retirado
console-subtype-AuthZ-Consent = Consentimiento decidido
console-subtype-110127 = Emergencia declarada
console-subtype-110138 = Emergencia terminada
console-subtype-110129 = Administración
console-subtype-audit-read = Registro de auditoría leído
console-subtype-export = Exportado
console-subtype-disclose = Comunicado
console-subtype-purge = Eliminado
console-subtype-review = Revisado
console-subtype-notification = Notificado
console-subtype-110120 = Servidor iniciado
console-subtype-110121 = Servidor detenido
console-subtype-limited = Demasiadas peticiones
console-action-C = Crear
console-action-R = Leer
console-action-U = Cambiar
console-action-D = Borrar
console-action-E = Ejecutar
console-outcome-0 = Éxito
console-outcome-4 = Rechazado
console-outcome-8 = Denegado
console-outcome-12 = Fallido
console-purpose-BTG = Emergencia: otro motivo
console-purpose-ETREAT = Emergencia: tratamiento
console-agent-110150 = aplicación
console-agent-110152 = recibió los datos
console-agent-110153 = envió los datos
console-agent-AUT = persona que escribió
console-agent-IRCP = persona que pidió
console-agent-custodian = custodio de la historia
console-agent-AuthzOauthService = servidor de autorización
console-agent-authserver = servidor de autorización
console-role-patient = Paciente
console-role-scheduler = Citas
console-role-clinician = Personal clínico
console-role-compliance = Responsable de cumplimiento
console-role-system = Sistema
console-role-administrator = Administración
console-entity-1 = Persona
console-entity-2 = Datos
console-entity-4 = Detalles
console-entity-Consent = Consentimiento
console-entity-XrequestId = Petición
