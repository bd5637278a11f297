alter table audio add constraint audio_in_set foreign key (audio_set_foreign_identifier, provider)
  references audioset (foreign_identifier, provider) on update cascade deferrable;
alter table audio add column parent_id integer constraint audio_parent references audio (id);
create view audio_with_set as select a.id, s.title from audio a join audioset s
  on s.foreign_identifier = a.audio_set_foreign_identifier and s.provider = a.provider;
grant select on audio_with_set to public;
