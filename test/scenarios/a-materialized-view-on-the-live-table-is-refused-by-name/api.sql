create materialized view image_counts as select source, count(*) from image group by source;
create rule nothing_goes as on delete to audio do instead nothing;
