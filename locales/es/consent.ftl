# Dar acceso a una aplicación.
consent-title = ¿Dar acceso a { $app }?
consent-who = { $app } pide acceso. Después volverá a { $address }.
consent-patient = El paciente es { $patient }.
consent-another-patient = Elegir otro paciente
consent-list = Lo que podrá hacer la aplicación
consent-hint = Quite la marca de lo que no quiera permitir.
consent-narrow = Permitir solo una parte
consent-narrow-hint = Si aquí no marca nada: todo.
consent-encounter = ¿De qué visita se trata?
consent-encounter-hint = La aplicación solo sabrá de esta visita.
consent-encounter-none = Ninguna de ellas
consent-offline = Esta aplicación puede conservar el acceso cuando usted no esté, hasta que lo retire en la página «Aplicaciones con acceso».
consent-approve = Permitir
consent-deny = No permitir
consent-none = Marque al menos una cosa o elija «No permitir»
consent-other-account = La aplicación se abrió para otra persona. Inicie sesión como esa persona o vuelva a la aplicación.
consent-other-sign-in = Iniciar sesión como otra persona

# Lo que permite un ámbito.
scope-yours = Sobre usted, { $what }: { $rights }
scope-patients = De { $patient }, { $what }: { $rights }
scope-this-patient = Del paciente, { $what }: { $rights }
scope-users = Todo lo que usted mismo puede usar de { $what }: { $rights }
scope-only = solo si { $name } es { $value }
right-see = ver
right-find = buscar
right-add = añadir
right-change = cambiar
right-delete = borrar
scope-openid = Saber que es usted quien ha iniciado sesión
scope-fhir-user = Saber cuál de nuestros registros es el suyo
scope-profile = Saber cuál de nuestros registros es el suyo
scope-launch = Saber desde dónde abrió la aplicación
scope-launch-patient = Saber qué paciente está elegido
scope-launch-encounter = Saber qué visita está elegida
scope-launch-other = Saber qué tenía abierto
scope-offline = Conservar el acceso cuando usted no la esté usando
scope-online = Conservar el acceso mientras usted tenga aquí la sesión abierta
scope-other = { $scope }

# Clases de datos.
type-all = datos de todo tipo
type-AllergyIntolerance = alergias
type-Appointment = citas
type-AppointmentResponse = respuestas a invitaciones a citas
type-CarePlan = planes de cuidados
type-CareTeam = equipos de atención
type-Communication = mensajes
type-Condition = problemas de salud y diagnósticos
type-Consent = decisiones sobre quién puede ver los datos
type-Coverage = seguros
type-Device = aparatos
type-DiagnosticReport = informes de pruebas
type-DocumentReference = documentos y notas
type-Encounter = visitas
type-Goal = objetivos del tratamiento
type-Group = grupos de pacientes
type-HealthcareService = servicios ofrecidos
type-Immunization = vacunas
type-Location = salas y direcciones
type-MedicationDispense = medicamentos entregados
type-MedicationRequest = recetas
type-Observation = resultados y mediciones
type-Organization = organizaciones
type-Patient = datos personales
type-Practitioner = fichas de médicos y personal
type-PractitionerRole = funciones de médicos y personal
type-Procedure = operaciones y tratamientos
type-Provenance = notas sobre quién cambió un dato
type-RelatedPerson = familiares y cuidadores
type-Schedule = agendas
type-ServiceRequest = derivaciones y peticiones
type-Slot = horas libres
type-Subscription = avisos configurados

# Partes de una clase.
param-category = la clase
param-status = el estado
value-Appointment-proposed = Propuestas
value-Appointment-pending = Retenidas
value-Appointment-booked = Reservadas
value-Appointment-fulfilled = Realizadas
value-Appointment-cancelled = Canceladas
value-Appointment-waitlist = En lista de espera
value-Encounter-planned = Previstas
value-Encounter-in-progress = En curso
value-Encounter-finished = Terminadas
value-ServiceRequest-active = Todavía abiertas
value-ServiceRequest-completed = Completadas
value-Communication-completed = Enviados
value-Communication-in-progress = En preparación
value-Condition-encounter-diagnosis = Diagnósticos de una visita
value-Condition-problem-list-item = En la lista de problemas de salud
value-Condition-health-concern = Preocupaciones de salud
value-Observation-laboratory = Resultados de laboratorio
value-Observation-vital-signs = Constantes vitales
value-Observation-social-history = Forma de vida
value-Observation-survey = Respuestas a cuestionarios
value-Observation-clinical-test = Pruebas clínicas
value-Observation-sdoh = Condiciones de vida

# Elegir un paciente.
pick-title = Elija un paciente
pick-hint = { $app } trabaja con un solo paciente cada vez.
pick-name = Nombre
pick-name-hint = El comienzo del nombre o del apellido
pick-birth-date = Fecha de nacimiento
pick-search = Buscar
pick-empty = Escriba un nombre o una fecha de nacimiento
pick-none = No se ha encontrado a nadie.
pick-found = { $count ->
    [one] Se ha encontrado un paciente
   *[other] Se han encontrado { $count } pacientes
}
pick-more = Hay más. Escriba más letras del nombre o la fecha de nacimiento.
pick-choose = Elegir a { $patient }
pick-born = nacido el { $date }
pick-cancel = Volver a la aplicación sin elegir

# Aplicaciones con acceso.
apps = Aplicaciones con acceso
apps-none = Ninguna aplicación tiene acceso.
apps-what = Lo que puede hacer
apps-since = Acceso desde
apps-last-used = Último uso
apps-patient = Paciente
apps-revoke = Retirar el acceso
apps-revoke-app = Retirar el acceso: { $app }
apps-revoked = Se ha retirado el acceso. Terminó en el acto.
