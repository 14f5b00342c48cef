# Declarar una emergencia.
nav-emergency = Emergencia
emergency = Acceso de emergencia
emergency-lead = En una emergencia puede ver la historia de un paciente al que no atiende, o que no ha dado su consentimiento.
emergency-watched = Usted indica el motivo, se avisa enseguida a los responsables de cumplimiento y cada emergencia se revisa. Dura como mucho { $count ->
    [one] un minuto
   *[other] { $count } minutos
}, solo para este paciente y solo para leer.
emergency-running = Hay una emergencia en curso
emergency-running-patient = Paciente
emergency-running-until = Hasta
emergency-running-another = Si declara otra, esta termina.
emergency-end = Terminarla ahora
emergency-ended = La emergencia ha terminado.
emergency-declared = La emergencia se ha declarado.
emergency-declare = Declarar una emergencia
emergency-patient = Paciente
emergency-patient-hint = El número de historia, exacto, o el identificador del paciente en este sistema
emergency-patient-missing = Indique de qué paciente se trata
emergency-patient-unknown = No hay ningún paciente así
emergency-patient-several = Varios pacientes tienen este número; ponga delante el sistema del número y |
emergency-purpose = ¿Para qué es?
emergency-purpose-missing = Indique para qué es
emergency-purpose-ETREAT = Tratamiento en una emergencia
emergency-purpose-BTG = Otro motivo que no puede esperar
emergency-reason = Motivo
emergency-reason-hint = Entre 10 y 500 caracteres. Lo leerá quien lo revise.
emergency-reason-wrong = Indique un motivo de entre 10 y 500 caracteres
emergency-password-wrong = La contraseña no es correcta
emergency-proof = Demuestre otra vez que es usted.
emergency-button = Declarar la emergencia

# Revisar emergencias.
nav-emergencies = Emergencias
emergencies = Emergencias declaradas
emergencies-none = No hay nada que revisar.
emergencies-open = Por revisar
emergencies-closed = Revisadas
emergencies-reviewed = La revisión se ha guardado.
emergencies-who = { $name } ({ $username })
emergencies-state = Estado
emergencies-state-overdue = Atrasada: terminó hace más de tres días y nadie la ha revisado
emergencies-state-waiting = Espera una revisión
emergencies-state-running = Sigue en curso
emergencies-state-reviewed = Revisada
emergencies-patient = Paciente
emergencies-purpose = Para qué
emergencies-reason = Motivo indicado
emergencies-began = Empezó
emergencies-over = Terminó
emergencies-until = Termina
emergencies-how-early = por decisión del profesional
emergencies-how-another = porque se declaró otra
emergencies-how-time = porque se acabó su tiempo
emergencies-finding = Resultado
emergencies-finding-missing = Indique si estaba justificada
emergencies-finding-justified = Justificada
emergencies-finding-not-justified = No justificada
emergencies-note = Nota
emergencies-note-hint = Hasta 1000 caracteres
emergencies-review = Guardar la revisión
emergencies-review-of = Guardar la revisión de la emergencia que declaró { $name } a las { $time }
emergencies-by = Revisada por
emergencies-gone = Esta emergencia ya se revisó, o no existe
emergencies-running = Una emergencia se puede revisar cuando ha terminado
emergencies-own = Nadie revisa una emergencia propia
