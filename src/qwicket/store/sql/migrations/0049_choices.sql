-- How the server chose the device of a job, as JSON (`model/choices.py`); null if it did not.
alter table job add column choice text;
